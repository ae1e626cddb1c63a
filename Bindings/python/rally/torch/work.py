"""One batch: drawn, rated, selected. What the thread alongside the trainer does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .. import select
from ..errors import RallyError, Status
from ..rows import Rows
from ..scorer import Scorer
from . import batches
from .drawing import Drawing, Piece, Place
from .meter import Meter
from .selection import Alone, Floats, Share, Together, pick


@dataclass(frozen=True, slots=True)
class Batch:
    """What is handed out, and what the books need.

    Attributes
    ----------
    rows : batch
    weights : tensor, shape [N], float32; or None
    place : Place
        Of the row after the draw.
    size : int
        N of a full batch.
    kept, drawn, tokens : int
        Rows, and tokens that were rated.
    seconds : float
        That rating took.
    dropped : list of (position, score, id)
    """

    rows: Any
    weights: torch.Tensor | None
    place: Place
    size: int
    kept: int
    drawn: int
    tokens: int
    seconds: float
    dropped: list[tuple[int, float | None, Any]]

    def enter(self, meter: Meter) -> None:
        """Adds this batch to the sums."""
        meter.batches += 1
        meter.drawn_rows += self.drawn
        meter.kept_rows += self.kept
        meter.rated_tokens += self.tokens
        meter.rating_seconds += self.seconds


class Rating:
    """The rater, opened by the first thread that rates.

    Parameters
    ----------
    rater : Scorer, path or callable
    threads : int
        0: as the Scorer says.
    share : Share
    weights : bool
    """

    def __init__(self, rater: Any, threads: int, share: Share, weights: bool) -> None:
        self.weights = weights
        self.needed = weights or share.discard > 0
        self._rate: Callable[[Any], npt.ArrayLike]
        self._scorer: Scorer | None = None
        self.parameters: int | None = None
        if isinstance(rater, (str, os.PathLike)):
            rater = Scorer(rater)
        if isinstance(rater, Scorer):
            # A copy: its threads start on the rating thread's cores, and no other caller makes it wait.
            state = rater.__getstate__()
            self._scorer = Scorer(**{**state, "threads": threads or state["threads"]})
            self._rate = self._scorer.rate
        elif callable(rater):
            self._rate = rater
        else:
            raise RallyError(
                Status.INVALID_ARGUMENT,
                f"rater: expected a rally.Scorer, a path or a callable, found {type(rater).__name__}",
            )

    def rate(self, rows: Rows | list[str]) -> Floats:
        """Scores, [row_count] float32.

        Raises
        ------
        RallyError
            INVALID_SHAPE: a callable that returns something else.
        """
        scores = np.asarray(self._rate(rows), np.float32)
        if scores.shape != (len(rows),):
            raise RallyError(
                Status.INVALID_SHAPE, f"rater: expected one score for each of {len(rows)} rows, found {scores.shape}"
            )
        if self._scorer is not None and self.parameters is None:
            self.parameters = self._scorer.model.info.parameter_count
        return scores


class Work:
    """Makes the batches of one pass, one after the other."""

    def __init__(
        self,
        draws: Drawing,
        rating: Rating,
        selection: Alone | Together,
        share: Share,
        batch_size: int | None,
        padding: int | None,
        ids: str,
    ) -> None:
        self._draws, self._rating, self._selection, self._share = draws, rating, selection, share
        self._size, self._padding, self._ids = batch_size, padding, ids

    def next(self) -> Batch | None:
        """The next batch; None at the end."""
        try:
            return self._make()
        except BaseException as error:
            self._selection.leave(f"{type(error).__name__}: {error}")
            raise

    def leave(self) -> None:
        """The pass ends before the loader does."""
        self._selection.leave("left the loop before its end")

    def _make(self) -> Batch | None:
        if self._size is None:
            self._size = self._draws.first_count() or 1  # without data any size will do
        begin = self._draws.place.position
        pieces = self._draws.draw(self._share.drawn(self._size))
        scores, tokens, seconds = self._scores(pieces)
        kept = self._selection.choose(pieces, scores, self._size)
        if kept is None:
            return None
        return Batch(
            rows=batches.join(kept.batches, self._padding),
            weights=torch.from_numpy(select.softmax_weights(kept.scores)) if self._rating.weights else None,
            place=self._draws.place,
            size=self._size,
            kept=kept.scores.size,
            drawn=sum(map(len, pieces)),
            tokens=tokens,
            seconds=seconds,
            dropped=self._described(pieces, scores, np.flatnonzero(kept.dropped).tolist(), begin),
        )

    def _scores(self, pieces: list[Piece]) -> tuple[Floats | None, int, float]:
        """Scores of all rows of the draw, None where they are not needed; tokens; seconds."""
        if not self._rating.needed:
            return None, 0, 0.0
        if not pieces:
            return np.empty(0, np.float32), 0, 0.0
        begin = time.perf_counter()
        picked = pick(pieces, range(sum(map(len, pieces))))
        rows = _together([batches.token_rows(batch) for batch in picked])  # in one call they share the rater's batches
        scores = self._rating.rate(rows)
        return scores, rows.tokens.size if isinstance(rows, Rows) else 0, time.perf_counter() - begin

    def _described(
        self, pieces: list[Piece], scores: Floats | None, dropped: list[int], begin: int
    ) -> list[tuple[int, float | None, Any]]:
        """Position, score and id of the rows at `dropped` of the draw."""
        names: list[Any] = []
        for piece in pieces:
            column = piece.batch.get(self._ids) if isinstance(piece.batch, Mapping) else None
            found = [None] * piece.stop if column is None else list(batches.entries(column))
            names.extend(found[piece.start : piece.stop])
        return [(begin + row, None if scores is None else float(scores[row]), names[row]) for row in dropped]


def _together(parts: list[Rows | list[str]]) -> Rows | list[str]:
    """The rows of several batches in one."""
    packed = [part for part in parts if isinstance(part, Rows)]
    if not packed:
        return [text for part in parts if isinstance(part, list) for text in part]
    starts = np.cumsum([0, *(part.tokens.size for part in packed)]).astype(np.uintp)
    offsets = [part.offsets[:-1] + start for part, start in zip(packed, starts[:-1], strict=True)]
    return Rows(np.concatenate([part.tokens for part in packed]), np.concatenate([*offsets, starts[-1:]]))
