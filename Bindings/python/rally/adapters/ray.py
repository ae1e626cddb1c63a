"""Ray Data: ``map_batches`` over a pool of actors, each with an open model."""

from __future__ import annotations

from typing import Unpack

from .._extras import extra
from ..scorer import Scorer

with extra("ray"):
    from ray.data import ActorPoolStrategy, Dataset

    from .tables import Columns, TableRater


class Rater(TableRater):
    """A callable class for ``map_batches``: an actor makes it, and with it opens the model, once.

    >>> dataset.map_batches(
    ...     rally.adapters.ray.Rater,
    ...     fn_constructor_args=[rally.Scorer("rater.onnx", threads=1)],
    ...     batch_format="pyarrow",
    ...     compute=ray.data.ActorPoolStrategy(size=64),
    ... )

    Parameters
    ----------
    scorer, **how
        As in `TableRater`.
    """

    def __init__(self, scorer: Scorer, **how: Unpack[Columns]) -> None:
        super().__init__(scorer, **how)
        self.open()


def rate(
    dataset: Dataset,
    scorer: Scorer,
    *,
    workers: int,
    cpus_per_worker: float = 1,
    batch_size: int = 1000,
    **how: Unpack[Columns],
) -> Dataset:
    """Adds what a rater says of each row, lazily; see `TableRater` for the columns.

    Parameters
    ----------
    dataset : ray.data.Dataset
    scorer : Scorer
        With as many threads as `cpus_per_worker`: Ray counts cores, it does not hold a process to them.
    workers : int
        Actors, over all nodes. They hold their cores while the job runs: leave some of the cluster's to reading.
    cpus_per_worker : float
        Cores that the scheduler sets aside for each.
    batch_size : int
        Rows that are rated together.
    **how
        `Columns`.

    Returns
    -------
    ray.data.Dataset
        The rows in no particular order, as Ray gives them; carry an id. A data set without rows stays as it is: Ray
        calls nothing for blocks without rows.
    """
    return dataset.map_batches(
        Rater,
        fn_constructor_args=[scorer],
        fn_constructor_kwargs={**how},
        batch_size=batch_size,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=workers),
        num_cpus=cpus_per_worker,
    )
