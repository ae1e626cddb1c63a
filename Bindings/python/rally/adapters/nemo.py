"""NeMo Curator: a processing stage for batches of documents."""

from __future__ import annotations

from typing import Any, Unpack

from .._extras import extra
from ..scorer import Scorer

with extra("nemo"):
    from nemo_curator.stages.base import ProcessingStage
    from nemo_curator.tasks import DocumentBatch

    from .tables import Columns, TableRater


class RallyRater(ProcessingStage[DocumentBatch, DocumentBatch]):
    """Adds what a rater says of each document of a batch; see `TableRater` for the columns.

    A worker opens the model in ``setup``. The batches leave as Arrow tables, whatever they came as.

    Parameters
    ----------
    scorer : Scorer
        With as many threads as the stage has cores: one, unless ``with_(resources=...)`` says otherwise.
    **how
        `Columns`.
    """

    name = "rally_rater"

    def __init__(self, scorer: Scorer, **how: Unpack[Columns]) -> None:
        super().__init__()
        self._rater = TableRater(scorer, **how)

    def inputs(self) -> tuple[list[str], list[str]]:
        """The column that is read; of one within a column NeMo Curator knows nothing."""
        column = self._rater.column
        return ["data"], [] if "." in column else [column]

    def outputs(self) -> tuple[list[str], list[str]]:
        """The columns that are added."""
        return ["data"], list(self._rater.names)

    def setup(self, worker_metadata: Any = None) -> None:
        """Opens the model."""
        self._rater.open()

    def process(self, task: DocumentBatch) -> DocumentBatch:
        """Rates one batch."""
        return DocumentBatch(
            dataset_name=task.dataset_name,
            data=self._rater(task.to_pyarrow()),
            _metadata=task._metadata,
            _stage_perf=task._stage_perf,
        )
