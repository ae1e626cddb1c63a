"""Rates JSON lines with PySpark and writes Parquet."""

import os
import sys

import pyarrow.parquet as pq
import rally
from pyspark.sql import SparkSession
from rally.adapters.spark import rate

from common import arguments, show

if __name__ == "__main__":
    options = arguments(__doc__)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # the Python of the executors needs rally too
    builder = SparkSession.builder.master(f"local[{options.workers}]").config("spark.ui.enabled", "false")
    spark = builder.getOrCreate()
    documents = spark.read.json(options.input).repartition(4 * options.workers)
    rate(documents, rally.Scorer(options.rater, threads=1)).write.parquet(options.out)
    spark.stop()
    show(pq.read_table(options.out).to_pylist())
