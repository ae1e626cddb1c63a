"""datatrove: a step that annotates documents, and a filter that drops those below a score."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Unpack

from .._extras import extra
from ..score.rows import member
from ..scorer import Scorer
from .rating import DocumentRater, Reading

with extra("datatrove"):
    from datatrove.data import Document
    from datatrove.pipeline.base import PipelineStep
    from datatrove.pipeline.filters.base_filter import BaseFilter
    from datatrove.utils.batching import batched


class RallyRater(PipelineStep):
    """Puts score, token_count, windows and coverage into each document's metadata.

    The score is the float32 of the rater as a Python float; None where the text has no token.

    Parameters
    ----------
    scorer : Scorer
        With ``threads=1`` where workers are as many as cores.
    batch_size : int
        Documents that are rated together.
    tokens : str, optional
        The metadata that holds a document's token ids, read instead of its text.
    **how
        `Reading`.
    """

    name = "Rally rater"
    type = "🏷 - ANNOTATOR"

    def __init__(
        self, scorer: Scorer, batch_size: int = 1000, tokens: str | None = None, **how: Unpack[Reading]
    ) -> None:
        super().__init__()
        self.rater = DocumentRater(scorer, **how)
        self.batch_size = batch_size
        self.tokens = tokens

    def run(self, data: Iterable[Document] | None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Rates the documents of a task, batch by batch."""
        for batch in batched(data or (), self.batch_size):
            with self.track_time("batch"):
                scores = annotate(self.rater, batch, self.tokens)
            for document, score in zip(batch, scores, strict=True):
                self.stat_update("total" if score is not None else "unrated")
                if score is not None:
                    self.stat_update(self.rater.names[0], value=score)
                self.update_doc_stats(document)
                yield document


class RallyFilter(BaseFilter):
    """Keeps the documents that score at least `minimum`, with what the rater said in their metadata.

    Those that cannot be rated are dropped too; the reasons in the statistics are ``below_minimum`` and ``unrated``.

    Parameters
    ----------
    scorer : Scorer
        With ``threads=1`` where workers are as many as cores.
    minimum : float
        A score of this rater, such as a quantile of its scores over a sample.
    exclusion_writer : DiskWriter, optional
        Takes what is dropped.
    batch_size : int
        Documents that are rated together.
    tokens : str, optional
        The metadata that holds a document's token ids, read instead of its text.
    **how
        `Reading`.
    """

    name = "Rally filter"

    def __init__(
        self,
        scorer: Scorer,
        minimum: float,
        exclusion_writer: Any = None,
        batch_size: int = 1000,
        tokens: str | None = None,
        **how: Unpack[Reading],
    ) -> None:
        super().__init__(exclusion_writer, batch_size)
        self.rater = DocumentRater(scorer, **how)
        self.minimum = minimum
        self.tokens = tokens

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Whether one document is kept, or why not."""
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: list[Document]) -> list[bool | tuple[bool, str]]:
        """The same for several at once."""
        return [self._decision(score) for score in annotate(self.rater, batch, self.tokens)]

    def _decision(self, score: float | None) -> bool | tuple[bool, str]:
        if score is None:
            return False, "unrated"
        return True if score >= self.minimum else (False, "below_minimum")


def annotate(rater: DocumentRater, batch: list[Document], tokens: str | None) -> list[float | None]:
    """Writes what the rater says into the documents' metadata; returns the scores."""
    members = (
        {name: [_member(document, name) for document in batch] for name in rater.members} if tokens is None else {}
    )
    texts = [document.text if tokens is None else document.metadata.get(tokens) for document in batch]
    ratings = rater.rate(texts, members)
    scores = [score if rated else None for score, rated in zip(ratings.score.tolist(), ratings.rated, strict=True)]
    columns = (scores, ratings.token_count.tolist(), ratings.windows.tolist(), ratings.coverage.tolist())
    for document, values in zip(batch, zip(*columns, strict=True), strict=True):
        document.metadata.update(zip(rater.names, values, strict=True))
    return scores


def _member(document: Document, name: str) -> Any:
    """What a template takes of a document: of its metadata, or its ``id``."""
    return member(document.metadata, name) if name != "id" else document.id
