"""What is said of the scores of a source: counts, moments, and their distribution."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
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


class Moments:
    """Mean and spread of scores, and how they go with the logarithm of the length.

    All sums are exact, so that they do not depend on how the scores come: batch by batch, or shard by shard.
    """

    def __init__(self) -> None:
        self.count = 0
        self._sums = dict.fromkeys(("x", "y", "xx", "yy", "xy"), 0)

    def add(self, scores: Floats, logs: Wide) -> None:
        """Adds finite scores with the logarithms of the documents' lengths."""
        wide = scores.astype(np.float64)
        self.count += wide.size
        terms = {"x": wide, "y": logs, "xx": wide * wide, "yy": logs * logs, "xy": wide * logs}
        for name, values in terms.items():
            self._sums[name] += exact_sum(values)

    @property
    def mean(self) -> float:
        """Of the scores."""
        return float(self._mean("x")) if self.count else 0.0

    @property
    def deviation(self) -> float:
        """Of the whole, not of a sample."""
        return math.sqrt(self._covariance("x", "x")) if self.count else 0.0

    @property
    def correlation(self) -> float | None:
        """Pearson's, of the scores with the logarithms of the lengths; None where one is constant."""
        squares = self._covariance("x", "x"), self._covariance("y", "y")
        scale = math.sqrt(max(squares[0], 0)) * math.sqrt(max(squares[1], 0))
        return self._covariance("x", "y") / scale if scale > 1e-9 else None

    def _mean(self, name: str) -> Fraction:
        return Fraction(self._sums[name], self.count << _SCALE)

    def _covariance(self, one: str, other: str) -> float:
        return float(self._mean(one + other) - self._mean(one) * self._mean(other)) if self.count else 0.0


#: Sums are integers, in units of 2^-_SCALE: no float64 needs less.
_SCALE = 1126


def exact_sum(values: Wide) -> int:
    """The sum of finite numbers without any rounding, in units of 2^-_SCALE.

    Each is m 2^e with |m| < 2^53; the upper and lower halves of the m of one e are summed in float64, exactly for up to
    2^26 of them.
    """
    total = 0
    if values.size <= 32:
        for value in values.tolist():
            mantissa, exponent = math.frexp(value)
            total += int(mantissa * 2.0**53) << (exponent - 53 + _SCALE)
        return total
    for start in range(0, values.size, 1 << 26):
        mantissas, exponents = np.frexp(values[start : start + (1 << 26)])
        whole = (mantissas * 2.0**53).astype(np.int64)
        known, places = np.unique(exponents, return_inverse=True)
        upper = np.bincount(places, (whole >> 27).astype(np.float64))
        lower = np.bincount(places, (whole & ((1 << 27) - 1)).astype(np.float64))
        for exponent, high, low in zip(known.tolist(), upper.tolist(), lower.tolist(), strict=True):
            total += ((int(high) << 27) + int(low)) << (exponent - 53 + _SCALE)
    return total


@lru_cache(maxsize=1 << 16)
def _log(count: int) -> float:
    return math.log(max(count, 1))


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
        known_lengths, places = np.unique(tokens, return_inverse=True)
        lengths = np.array([_log(count) for count in known_lengths.tolist()])[places]
        for name, moments in self.moments.items():
            scores = rows.column(name).to_numpy(zero_copy_only=False)
            known = ~np.isnan(scores)
            if known.any():
                finite = np.isfinite(scores)  # a perplexity may be infinite
                moments.add(scores[finite], lengths[finite])
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
