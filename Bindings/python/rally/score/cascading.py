"""A cascade over a corpus: the sample that both raters read, the band that it gives, and what both say of a batch."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._files import sync, sync_folder
from ..cascade import SAMPLE, Band, sampled
from ..documents import DocumentScores
from ..errors import RallyError, Status
from ..scorer import Scorer
from .documents import Document, DocumentMaker
from .inputs import InputFile
from .raters import Column, Rated, Raters
from .readers import read_rows
from .rows import Columns, Row
from .settings import Settings

#: Columns with what each of both says; the expensive one has nothing to say of most documents.
DETAILS = ("decided_by", "score_cheap", "score_expensive")

_AGREEMENT, _CONFIDENCE = 0.99, 0.95


def opened(settings: Settings) -> Raters:
    """The models that the settings name."""
    return Raters(settings) if settings.cascade is None else CascadeRaters(settings)


class CascadeRaters(Raters):
    """A cheap rater, which reads every document, and an expensive one, which reads those in the band."""

    band: Band | None = None

    def _paths(self) -> Sequence[str]:
        assert self._settings.cascade is not None
        return self._settings.cascade, self._settings.rater

    @property
    def main(self) -> Scorer:
        """The expensive one."""
        return self._scorers[1]

    def use(self, band: Band) -> None:
        """Says which documents the expensive rater reads from now on."""
        self.band = band
        self.columns = self._columns()

    def _columns(self) -> list[Column]:
        cheap, expensive = self._scorers
        for scorer in self._scorers:
            self._check_score(scorer)
        more = [self.reading_label(expensive), "" if self.band is None else self.band.label(cheap.fingerprint)]
        label = expensive.label(**self._windows(), more=" ".join(part for part in more if part))
        names = "score", "quantile", expensive.path, expensive.fingerprint, label
        return [Column(*names, DETAILS, cheap.fingerprint)]

    def rate(self, documents: Sequence[Document]) -> Rated:
        """Scores documents, at least one; without a band by both raters."""
        cheap = self._by(self._scorers[0], documents, 0)
        inside = np.ones(len(documents), bool) if self.band is None else self.band.reads(cheap.score)
        expensive = np.full(len(documents), np.nan, np.float32)
        windows = cheap
        if inside.any():
            places = np.flatnonzero(inside)
            found = self._by(self._scorers[1], [documents[place] for place in places.tolist()], 1)
            expensive[places] = found.score
            windows = _joined(cheap, found, inside)
        wrong = ~np.isfinite(cheap.score) | (inside & ~np.isfinite(expensive))
        score = expensive if self.band is None else self._score(cheap.score, expensive, wrong)
        decided = np.where(inside, "expensive", "cheap").astype(object)
        return Rated(windows, {"score": score}, dict(zip(DETAILS, (decided, cheap.score, expensive), strict=True)))

    def _score(self, cheap: Any, expensive: Any, wrong: Any) -> Any:
        assert self.band is not None
        score = self.band.scores(np.where(wrong, np.float32(0), cheap), np.where(wrong, np.float32(0), expensive))
        return np.where(wrong, np.float32(np.nan), score)

    def _by(self, scorer: Scorer, documents: Sequence[Document], place: int) -> DocumentScores:
        shares = self._shares[place]
        return self._documents(scorer, self._tokens(documents) if shares else self._encoded(scorer.model, documents))


def _joined(cheap: DocumentScores, expensive: DocumentScores, inside: Any) -> DocumentScores:
    """The windows of the rater that decides."""
    own = iter(expensive.window_scores)
    windows = [next(own) if reads else found for reads, found in zip(inside, cheap.window_scores, strict=True)]
    offsets = np.concatenate([[0], np.cumsum([one.size for one in windows])]).astype(np.uintp)
    columns: dict[str, Any] = {}
    for name in ("mean", "minimum", "coverage", "score"):
        columns[name] = getattr(cheap, name).copy()
        columns[name][inside] = getattr(expensive, name)
    return DocumentScores(windows=np.concatenate(windows), offsets=offsets, **columns)


# The sample


class SampleReader:
    """Rates the sample, and goes on where an earlier call was when it ended.

    Which rows are in it depends on their places in the corpus alone.

    Parameters
    ----------
    path : Path
        A file of lines, one for each row of the sample that was looked at.
    """

    def __init__(self, path: Path, files: Sequence[InputFile], columns: Columns, settings: Settings) -> None:
        self._path, self._files, self._columns, self._settings = path, files, columns, settings
        self._is_tokens = settings.tokens is not None

    def band(self, maker: DocumentMaker, raters: CascadeRaters, discard: float, watch: Callable[[], None]) -> Band:
        """The band for a cut at `discard`.

        Raises
        ------
        RallyError
            EMPTY_INPUT: of the sample fewer than 4 rows can be rated. What reading and rating raise.
        """
        if not 0 < discard < 1:
            raise RallyError(Status.INVALID_ARGUMENT, f"discard: a cascade needs a share above 0, found {discard:g}")
        drawn = self._drawn()
        known = self._known()
        for batch in self._batches(maker, set(drawn) - known.keys()):
            self._add(batch, raters, known)
            watch()
        pairs = [pair for place in drawn if (pair := known[place]) is not None]
        cheap, expensive = np.array(pairs, np.float32).reshape(-1, 2).T
        settings = self._settings
        return Band.choose(
            cheap, expensive, discard, settings.agreement or _AGREEMENT, settings.confidence or _CONFIDENCE
        )

    def _drawn(self) -> list[tuple[int, int]]:
        """Files and rows, in the order in which they are drawn."""
        places: list[tuple[int, int]] = []

        def names() -> Iterator[bytes]:
            for index, file in enumerate(self._files):
                for row in read_rows(file, self._columns, is_tokens=self._is_tokens):
                    if isinstance(row, Row):
                        places.append((index, row.number))
                        yield f"{index}:{row.number}".encode()

        return [places[place] for place in sampled(names(), self._settings.sample or SAMPLE)]

    def _known(self) -> dict[tuple[int, int], tuple[float, float] | None]:
        """What is rated; a line that a crash cut short is taken away."""
        if not self._path.exists():
            return {}
        lines = [line for line in self._path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        os.truncate(self._path, sum(map(len, lines)))
        rows = (json.loads(line) for line in lines)
        return {(file, row): None if pair is None else (pair[0], pair[1]) for file, row, pair in rows}

    def _batches(self, maker: DocumentMaker, wanted: set[tuple[int, int]]) -> Iterator[list[Any]]:
        """Places with their documents; None for a row that cannot be rated."""
        batch: list[Any] = []
        tokens = 0
        for index in sorted({file for file, _ in wanted}):
            file = self._files[index]
            last = max(row for place, row in wanted if place == index)
            for row in read_rows(file, self._columns, is_tokens=self._is_tokens):
                if isinstance(row, Row) and (index, row.number) in wanted:
                    made = maker.make(row, file.path, file.source)
                    batch.append(((index, row.number), made if isinstance(made, Document) else None))
                    tokens += made.tokens.size if isinstance(made, Document) else 0
                if tokens >= self._settings.commit_tokens:
                    yield batch
                    batch, tokens = [], 0
                if row.number >= last:
                    break
        if batch:
            yield batch

    def _add(self, batch: list[Any], raters: CascadeRaters, known: dict[Any, Any]) -> None:
        documents = [document for _, document in batch if document is not None]
        found: Iterator[tuple[float, float]] = iter(())
        if documents:
            details = raters.rate(documents).details
            found = iter(zip(details["score_cheap"].tolist(), details["score_expensive"].tolist(), strict=True))
        lines = []
        for place, document in batch:
            pair = None if document is None else next(found)
            pair = pair if pair is not None and np.isfinite(pair).all() else None
            known[place] = pair
            lines.append(json.dumps([*place, pair]).encode() + b"\n")
        with open(self._path, "ab") as file:
            file.writelines(lines)
            file.flush()
            sync(file.fileno())
        sync_folder(self._path.parent)


def told(band: Band, settings: Settings) -> dict[str, Any]:
    """What the state and the report say of a cascade."""
    return {"cheap": settings.cascade, "rater": settings.rater} | band.written()
