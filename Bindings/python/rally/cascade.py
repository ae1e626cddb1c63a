"""Two raters for one cut at a share: a cheap one decides what is clear, an expensive one reads the band around the cut.

>>> cascade = rally.Cascade("bert-base.onnx", "small.onnx", discard=0.75)
>>> found = cascade.rate_documents(texts)
>>> kept = rally.select.top(found.score, rally.sweep.kept_count(len(texts), 0.75))
"""

from __future__ import annotations

import hashlib
import heapq
import math
import os
from collections.abc import Iterable, Sequence
from ctypes import byref
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ._library import library
from .errors import RallyError, Status
from .rows import Row, Rows, listed, split
from .scorer import Scorer
from .select import Numbers, number, share, vector

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

#: Documents that both raters read before there is a band.
SAMPLE = 8192


@dataclass(frozen=True, slots=True)
class Band:
    """Which points the expensive rater has to read, and what is known about the decisions.

    Attributes
    ----------
    lower, upper : float
        Points that the cheap rater scores below `lower` are dropped, from `upper` on they stay; infinite: none.
    middle, spread : float
        The expensive rater's score at the cut, and the range of the middle half of its scores, in the sample.
    agreement : float
        Share of the decisions that are those of the expensive rater alone, at least, with `confidence`.
    observed : float
        The same as the last quarter of the sample has it, which only checks.
    share : float
        Of that quarter in the band.
    discard, confidence : float
        What it was chosen for.
    sample_count : int
        Points of the sample.
    """

    lower: float
    upper: float
    middle: float
    spread: float
    agreement: float
    observed: float
    share: float
    discard: float
    confidence: float
    sample_count: int

    @classmethod
    def choose(
        cls, cheap: Numbers, expensive: Numbers, discard: float, agreement: float = 0.99, confidence: float = 0.95
    ) -> Band:
        """Finds the band on a sample that both raters have read.

        Parameters
        ----------
        cheap, expensive : array_like, shape [n]
            Scores of a uniform random sample of the points, in the order in which it was drawn: the first three
            quarters choose, the last one checks.
        discard : float
            Share that the cut discards, in (0, 1).
        agreement, confidence : float
            In [0.5, 1).

        Raises
        ------
        RallyError
            EMPTY_INPUT for fewer than 4 points, NOT_FINITE for a NaN, INVALID_ARGUMENT; MISMATCH where the last quarter
            contradicts, so that the order was none of chance.
        """
        first, second = _pair(cheap, expensive)
        raw = library().new("rally_cascade")
        sizes = share(discard), number("agreement", agreement), number("confidence", confidence)
        library().call("rally_cascade_choose", first.ctypes.data, second.ctypes.data, first.size, *sizes, byref(raw))
        values = {name: getattr(raw, name) for name in cls.__dataclass_fields__ if name != "share"}
        return cls(**values, share=raw.band)

    def reads(self, cheap: Numbers) -> Mask:
        """Whether the expensive rater has to read each point."""
        scores = vector("cheap", cheap, np.float32)
        found: Mask = ~((scores < np.float32(self.lower)) | (scores >= np.float32(self.upper)))
        return found

    def scores(self, cheap: Numbers, expensive: Numbers) -> Floats:
        """One score of both: the cheap rater's, and in the band a place between its ends by the expensive one's.

        Of `expensive` only the points in the band are looked at.

        Raises
        ------
        RallyError
            NOT_FINITE for a NaN among them.
        """
        first, second = _pair(cheap, expensive)
        raw = library().new("rally_cascade")
        raw.lower, raw.upper, raw.middle, raw.spread = self.lower, self.upper, self.middle, self.spread
        found = np.empty_like(first)
        places = first.ctypes.data, second.ctypes.data, first.size, found.ctypes.data
        library().call("rally_cascade_scores", byref(raw), *places)
        return found

    def label(self, cheap: str) -> str:
        """Pairs of a distribution's label that part such scores from those of one rater.

        `cheap`: the fingerprint of the cheap rater.
        """
        ends = hashlib.sha256(repr((self.lower, self.upper, self.middle, self.spread)).encode()).hexdigest()[:16]
        return f"cascade={cheap[:16]} band={ends} discard={self.discard:g}"

    def written(self) -> dict[str, Any]:
        """For a file of JSON, which has no infinities."""
        return {key: None if math.isinf(value) else value for key, value in asdict(self).items()}

    @classmethod
    def read(cls, told: dict[str, Any]) -> Band:
        """What `written` gave."""
        ends = {"lower": -math.inf, "upper": math.inf}
        fields: dict[str, Any] = {key: ends[key] if value is None else value for key, value in told.items()}
        return cls(**fields)


def _pair(cheap: Numbers, expensive: Numbers) -> tuple[Floats, Floats]:
    first, second = vector("cheap", cheap, np.float32), vector("expensive", expensive, np.float32)
    if first.size != second.size:
        message = f"expensive: expected {first.size} scores, as many as of the cheap rater, found {second.size}"
        raise RallyError(Status.INVALID_ARGUMENT, message)
    return first, second


def sampled(names: Iterable[bytes], count: int) -> list[int]:
    """The places of `count` names in the order in which they are drawn: those with the smallest SHA-256, by it."""
    keys = ((hashlib.sha256(name).digest(), place) for place, name in enumerate(names))
    return [place for _, place in heapq.nsmallest(count, keys)]


@dataclass(frozen=True, slots=True, eq=False)
class CascadeScores:
    """Scores of D documents by two raters.

    Attributes
    ----------
    score : ndarray, shape [D], float32
        To rank all of them by; see `Band.scores`.
    cheap, expensive : ndarray, shape [D], float32
        Of either rater; NaN where the expensive one has not read.
    is_expensive : ndarray, shape [D], bool
        Whether the expensive rater decides.
    band : Band
    """

    score: Floats
    cheap: Floats
    expensive: Floats
    is_expensive: Mask
    band: Band = field(repr=False)

    def __len__(self) -> int:
        return self.score.size


class Cascade:
    """A cheap and an expensive rater for one cut at a share.

    Parameters
    ----------
    rater, cheap : Scorer or path
        Both read the same documents, each with its own tokenizer.
    discard : float
        Share that the cut discards, in (0, 1).
    agreement : float
        Share of the decisions that are to be those of the expensive rater alone.
    confidence : float
        With which.
    sample : int
        Documents that both read before there is a band.
    """

    def __init__(
        self,
        rater: Scorer | str | os.PathLike[str],
        cheap: Scorer | str | os.PathLike[str],
        *,
        discard: float,
        agreement: float = 0.99,
        confidence: float = 0.95,
        sample: int = SAMPLE,
    ) -> None:
        self.rater = rater if isinstance(rater, Scorer) else Scorer(rater)
        self.cheap = cheap if isinstance(cheap, Scorer) else Scorer(cheap)
        self._how = discard, agreement, confidence
        self._sample = sample

    def rate_documents(self, documents: Sequence[Row] | Sequence[str] | Rows) -> CascadeScores:
        """Rates documents: all by the cheap rater, a sample and the band by the expensive one.

        The sample is drawn by the documents' places: the same call gives the same scores.

        Raises
        ------
        RallyError
            What `Band.choose` and `Scorer.rate_documents` raise.
        """
        rows = listed(documents)
        if isinstance(rows, Rows):
            rows = split(rows.tokens, rows.lengths)
        cheap = self.cheap.rate_documents(rows).score
        expensive = np.full(len(rows), np.nan, np.float32)
        drawn = sampled((str(place).encode() for place in range(len(rows))), self._sample)
        self._read(rows, sorted(drawn), expensive)
        band = Band.choose(cheap[drawn], expensive[drawn], *self._how)
        inside = band.reads(cheap)
        self._read(rows, np.flatnonzero(inside & np.isnan(expensive)).tolist(), expensive)
        return CascadeScores(band.scores(cheap, expensive), cheap, expensive, inside, band)

    def _read(self, rows: Any, places: list[int], expensive: Floats) -> None:
        if places:
            expensive[places] = self.rater.rate_documents([rows[place] for place in places]).score
