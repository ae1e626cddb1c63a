"""Hugging Face datasets: ``map`` in processes, with a cache that knows the rater by its content."""

from __future__ import annotations

from typing import Unpack

from .._extras import extra
from ..errors import RallyError, Status
from ..scorer import Scorer

with extra("datasets"):
    import pyarrow as pa
    from datasets import Dataset
    from datasets.fingerprint import Hasher

    from .tables import Columns, TableRater


def rate(
    dataset: Dataset, scorer: Scorer, *, num_proc: int | None = None, batch_size: int = 1000, **how: Unpack[Columns]
) -> Dataset:
    """Adds what a rater says of each row; see `TableRater` for the columns.

    The result is cached like that of any ``map``, under a name that depends on the data set, the content of the model
    file and the way of reading: not on the file's name, the number of processes or threads. So a rater that has moved
    finds its scores again, and another one in its place does not.

    Parameters
    ----------
    dataset : datasets.Dataset
    scorer : Scorer
        With ``threads=1`` where `num_proc` is the number of cores.
    num_proc : int, optional
        Worker processes; None: this one.
    batch_size : int
        Rows that are rated together.
    **how
        `Columns`.

    Returns
    -------
    datasets.Dataset
        All columns and the new ones, in the format of `dataset`.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: `dataset` is something else, such as a dictionary of splits. What `TableRater` raises.

    Notes
    -----
    A streamed ``IterableDataset`` takes the function itself:
    ``stream.with_format("arrow").map(TableRater(scorer), batched=True)``.
    """
    if not isinstance(dataset, Dataset):
        found = type(dataset).__name__
        raise RallyError(
            Status.INVALID_ARGUMENT, f"dataset: expected a datasets.Dataset, found {found}; rate its splits one by one"
        )
    rater = TableRater(scorer, **how)
    if len(dataset) == 0:  # map calls no function then, and adds no columns
        return _with_columns(dataset, rater)
    rated = dataset.with_format("arrow").map(
        rater,
        batched=True,
        batch_size=batch_size,
        num_proc=num_proc,
        new_fingerprint=Hasher.hash((dataset._fingerprint, rater.fingerprint)),
        desc="Rating",
    )
    return rated.with_format(dataset.format["type"], **dataset.format["format_kwargs"])


def _with_columns(dataset: Dataset, rater: TableRater) -> Dataset:
    """A data set of no rows with the columns that rating adds."""
    empty = dataset.remove_columns([name for name in rater.names if name in dataset.column_names])
    for name, type_ in zip(rater.names, rater.types, strict=True):
        empty = empty.add_column(name, pa.array([], type_))
    return empty.with_format(dataset.format["type"], **dataset.format["format_kwargs"])
