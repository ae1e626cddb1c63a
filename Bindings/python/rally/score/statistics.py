"""What is said of the scores of a source: counts, moments, and their distribution."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..distribution import Distribution
from ..errors import RallyError, Status
from .journal import Record

Floats = npt.NDArray[np.float32]

#: Sources that a run may have; more are most likely the ids of documents.
_MOST_SOURCES = 1000


@dataclass(slots=True)
class Moments:
    """Mean and spread of a stream, in float64. Update: Chan, Golub and LeVeque (1979)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: Floats) -> None:
        if values.size == 0:
            return
        wide = values.astype(np.float64)
        mean = float(wide.mean())
        total = self.count + values.size
        step = mean - self.mean
        self.squares += float(((wide - mean) ** 2).sum()) + step * step * self.count * values.size / total
        self.mean += step * values.size / total
        self.count = total

    @property
    def deviation(self) -> float:
        """Of the whole, not of a sample."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0


class Tally:
    """Of one source, or of all: documents, tokens, windows, rejected rows, and each column's scores.

    Parameters
    ----------
    labels : dict of str
        Of the distributions, by the name of the column.
    """

    def __init__(self, labels: dict[str, str]) -> None:
        self.documents = self.tokens = self.windows = self.rejected = 0
        self.moments = {name: Moments() for name in labels}
        self.distributions = {name: Distribution(label) for name, label in labels.items()}

    def add(self, rows: Any) -> None:
        """Adds rows of the journal, a `pyarrow.RecordBatch`."""
        self.documents += rows.num_rows
        self.tokens += int(rows.column("tokens").to_numpy().sum())
        self.windows += int(rows.column("windows").to_numpy().sum())
        for name, moments in self.moments.items():
            scores = present(rows.column(name).to_numpy(zero_copy_only=False))
            if scores.size:
                moments.add(scores)
                self.distributions[name].add(scores)


def present(scores: Floats) -> Floats:
    """Without the NaN of documents that have no such score."""
    kept: Floats = scores[~np.isnan(scores)]
    return kept


class Tallies:
    """The tally of all rows, and of each source by its name."""

    def __init__(self, labels: dict[str, str]) -> None:
        self._labels = labels
        self.whole = Tally(labels)
        self.sources: dict[str, Tally] = {}

    def add(self, record: Record) -> None:
        self.whole.add(record.rows)
        self.whole.rejected += len(record.rejected)
        for name, rows in _by_source(record.rows):
            self._source(name).add(rows)
        for one in record.rejected:
            self._source(one.source).rejected += 1

    def _source(self, name: str) -> Tally:
        if name not in self.sources:
            if len(self.sources) == _MOST_SOURCES:
                message = f"source: more than {_MOST_SOURCES} different ones; give a column that groups the documents"
                raise RallyError(Status.LIMIT_EXCEEDED, message)
            self.sources[name] = Tally(self._labels)
        return self.sources[name]


def _by_source(rows: Any) -> Iterator[tuple[str, Any]]:
    column = rows.column("source")
    codes = column.indices.to_numpy()
    for code, name in enumerate(column.dictionary.to_pylist()):
        places = np.flatnonzero(codes == code)
        if places.size:
            yield name, rows if places.size == rows.num_rows else rows.take(places)
