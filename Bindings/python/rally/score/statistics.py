"""What is said of the scores of a source: counts, moments, and their distribution."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..distribution import Distribution
from .documents import Rejection

Floats = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]

#: Sources that are told apart; the smallest of more are merged.
_MOST_SOURCES = 1000

#: Names that are counted exactly; beyond, the counts are those of Misra and Gries (1982), lower bounds.
_MOST_COUNTED = 100_000

#: What the merged ones are called.
OTHER = "other"


@dataclass(slots=True)
class Moments:
    """Mean and spread of a stream, and how it goes with another, in float64. Update: Chan, Golub and LeVeque (1979)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    other_mean: float = 0.0
    other_squares: float = 0.0
    products: float = 0.0

    def add(self, values: Floats, others: Wide) -> None:
        if values.size == 0:
            return
        wide = values.astype(np.float64)
        mean, other = float(wide.mean()), float(others.mean())
        total = self.count + values.size
        step, other_step = mean - self.mean, other - self.other_mean
        weight = self.count * values.size / total
        self.squares += float(((wide - mean) ** 2).sum()) + step * step * weight
        self.other_squares += float(((others - other) ** 2).sum()) + other_step * other_step * weight
        self.products += float(((wide - mean) * (others - other)).sum()) + step * other_step * weight
        self.mean += step * values.size / total
        self.other_mean += other_step * values.size / total
        self.count = total

    @property
    def deviation(self) -> float:
        """Of the whole, not of a sample."""
        return math.sqrt(self.squares / self.count) if self.count else 0.0

    @property
    def correlation(self) -> float | None:
        """Pearson's, of both streams; None where one is constant."""
        scale = math.sqrt(self.squares * self.other_squares)
        return self.products / scale if scale > 1e-12 * max(self.count, 1) else None


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
        tokens = rows.column("token_count").to_numpy()
        self.tokens += int(tokens.sum())
        self.windows += int(rows.column("windows").to_numpy().sum())
        lengths = np.log(np.maximum(tokens, 1).astype(np.float64))
        for name, moments in self.moments.items():
            scores = rows.column(name).to_numpy(zero_copy_only=False)
            known = ~np.isnan(scores)
            if known.any():
                moments.add(scores[known], lengths[known])
                self.distributions[name].add(np.ascontiguousarray(scores[known]))


class Tallies:
    """The tally of all rows, and of each source by its name.

    Parameters
    ----------
    labels : dict of str
        As in `Tally`.
    sources : set of str, optional
        Those that are told apart; None: all.
    merged : int
        How many are not.
    """

    def __init__(self, labels: dict[str, str], sources: set[str] | None = None, merged: int = 0) -> None:
        self._labels = labels
        self._apart = sources
        self.merged = merged
        self.whole = Tally(labels)
        self.sources: dict[str, Tally] = {}

    def add(self, rows: Any) -> None:
        """Adds rows of the journal."""
        if rows.num_rows == 0:
            return
        self.whole.add(rows)
        for name, part in by_source(rows, self._name):
            self._source(name).add(part)

    def reject(self, one: Rejection) -> None:
        """Counts rows that were not rated."""
        self.whole.rejected += one.count
        self._source(self._name(one.source)).rejected += one.count

    def _name(self, source: str) -> str:
        return source if self._apart is None or source in self._apart else OTHER

    def _source(self, name: str) -> Tally:
        if name not in self.sources:
            self.sources[name] = Tally(self._labels)
        return self.sources[name]


def by_source(rows: Any, name: Callable[[str], str]) -> Iterator[tuple[str, Any]]:
    """The rows of each source, under the name that it has."""
    column = rows.column("source")
    codes = column.indices.to_numpy()
    groups: dict[str, list[int]] = {}
    for code, source in enumerate(column.dictionary.to_pylist()):
        groups.setdefault(name(source), []).append(code)
    for group, members in groups.items():
        places = np.flatnonzero(codes == members[0] if len(members) == 1 else np.isin(codes, members))
        if places.size:
            yield group, rows if places.size == rows.num_rows else rows.take(places)


class SourceCounts:
    """How many rows each source has, in bounded memory."""

    def __init__(self, most: int = _MOST_COUNTED) -> None:
        self._most = most
        self._counts: dict[str, int] = {}
        self._is_exact = True

    def add(self, name: str, count: int) -> None:
        self._counts[name] = self._counts.get(name, 0) + count
        if len(self._counts) > 2 * self._most:
            self._is_exact = False
            cut = sorted(self._counts.values(), reverse=True)[self._most]
            self._counts = {key: value - cut for key, value in self._counts.items() if value > cut}

    def largest(self, most: int = _MOST_SOURCES) -> tuple[set[str] | None, int]:
        """Those to be told apart, None for all, and how many others there are, at least."""
        if len(self._counts) <= most and self._is_exact:
            return None, 0
        kept = sorted(self._counts, key=lambda name: (-self._counts[name], name))[: most - 1]
        return set(kept), len(self._counts) - len(kept)


def tallied(
    labels: dict[str, str], rows: Callable[[], Iterable[Any]], rejected: Callable[[], Iterable[Rejection]]
) -> Tallies:
    """Tallies of all rows, read once or, to see which sources are the largest, twice."""
    counts = SourceCounts()
    found = Tallies(labels)
    for part in rows():
        found.add(part)
        if len(found.sources) > _MOST_SOURCES:
            break
    else:
        for one in rejected():
            found.reject(one)
            if len(found.sources) > _MOST_SOURCES:
                break
        else:
            return found
    for part in rows():
        for name, group in by_source(part, lambda source: source):
            counts.add(name, group.num_rows)
    for one in rejected():
        counts.add(one.source, one.count)
    found = Tallies(labels, *counts.largest())
    for part in rows():
        found.add(part)
    for one in rejected():
        found.reject(one)
    return found
