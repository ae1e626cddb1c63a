"""PySpark: ``mapInArrow``, so that documents and scores cross between the JVM and Python as Arrow batches."""

from __future__ import annotations

from typing import Unpack

from .._extras import extra
from ..scorer import Scorer

with extra("spark"):
    from pyspark.sql import DataFrame
    from pyspark.sql.types import FloatType, LongType, StructField, StructType

    from .tables import Columns, TableRater


def rate(frame: DataFrame, scorer: Scorer, **how: Unpack[Columns]) -> DataFrame:
    """Adds what a rater says of each row, lazily; see `TableRater` for the columns.

    A partition is a task; a Python worker opens the model for its first task and keeps it for the next ones
    (``spark.python.worker.reuse``, on by default). ``spark.sql.execution.arrow.maxRecordsPerBatch`` says how many rows
    are rated together. Whoever reads the result twice rates twice: write it, or ``persist`` it.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
    scorer : Scorer
        With ``threads=1`` where tasks are as many as cores. The file must lie under its path on every executor.
    **how
        `Columns`.

    Returns
    -------
    pyspark.sql.DataFrame
        Rows that cannot be rated have a null score: in Spark a NaN would rank above all others.
    """
    rater = TableRater(scorer, **how)
    others = frame.drop(*rater.names)
    types = (FloatType(), LongType(), LongType(), FloatType())
    added = [
        StructField(name, type_, place == 0) for place, (name, type_) in enumerate(zip(rater.names, types, strict=True))
    ]
    return others.mapInArrow(rater.batches, StructType([*others.schema.fields, *added]))
