"""Which of the drawn rows are kept: those of one process, or of all processes of a group together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch.distributed as dist

from .. import select
from ..errors import RallyError, Status
from . import batches
from .drawing import Piece

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is left of a draw of R rows.

    Attributes
    ----------
    batches : list
        Batches whose rows, in this order, are what is kept.
    scores : ndarray, shape [N], float32
        Of the rows that are kept.
    dropped : ndarray, shape [R], bool
        Which of this process' own rows no process keeps.
    """

    batches: list[Any]
    scores: Floats
    dropped: npt.NDArray[np.bool_]


class Share:
    """How many rows to draw for how many to keep, exactly as `keep` is written in decimal.

    Parameters
    ----------
    keep : float
        Share of the rows that is kept, in (0, 1].

    Raises
    ------
    RallyError
        INVALID_ARGUMENT.
    """

    def __init__(self, keep: float) -> None:
        if not 0 < keep <= 1:  # NaN, too
            raise RallyError(Status.INVALID_ARGUMENT, f"keep: expected a share in (0, 1], found {keep!r}")
        self._keep = Decimal(repr(float(keep)))
        self.discard = float(1 - self._keep)

    def drawn(self, count: int) -> int:
        """Rows to draw for `count` kept ones."""
        return select.draw_count(count, self.discard)

    def kept(self, count: int) -> int:
        """Rows to keep of `count`, where the data ends: never a greater share."""
        return int(self._keep * count)


def pick(pieces: Sequence[Piece], indices: Sequence[int]) -> list[Any]:
    """The rows at ascending `indices` of all pieces, as batches; a batch of which all is picked stays as it is."""
    picked, start, at = [], 0, 0
    for piece in pieces:
        stop = at
        while stop < len(indices) and indices[stop] < start + len(piece):
            stop += 1
        inside = [piece.start + int(index) - start for index in indices[at:stop]]
        if len(inside) == batches.row_count(piece.batch):
            picked.append(piece.batch)
        elif inside:
            picked.append(batches.select(piece.batch, inside))
        start, at = start + len(piece), stop
    return picked


class Alone:
    """Keeps the best of this process' own rows."""

    def __init__(self, share: Share) -> None:
        self._share = share

    def choose(self, pieces: Sequence[Piece], scores: Floats | None, keep: int) -> Kept | None:
        """The best `keep` rows of a full draw, the same share of a shorter one; None at the end."""
        rows = sum(map(len, pieces))
        number = keep if rows == self._share.drawn(keep) else self._share.kept(rows)
        if number == 0:
            return None
        indices = np.arange(rows) if scores is None else select.top(scores, number)
        dropped = np.ones(rows, np.bool_)
        dropped[indices] = False
        found = np.zeros(rows, np.float32) if scores is None else scores
        return Kept(pick(pieces, indices.tolist()), found[indices], dropped)

    def leave(self, reason: str) -> None:
        """No other process needs to know."""


class Together:
    """Keeps the best of all processes' rows, as many for each of them.

    Every process calls `choose` as often as the others. Ranks that have more of the best than their share hand the
    last of them to ranks that have fewer, in rank order. Where the data ends, also where it ends on some ranks
    earlier, all ranks keep the same number of rows, and end together.

    Parameters
    ----------
    share : Share
    group : process group
        Its own, since it is used from a thread alongside the trainer's collectives.
    """

    def __init__(self, share: Share, group: dist.ProcessGroup) -> None:
        self._share = share
        self._group = group
        self._rank, self._ranks = dist.get_rank(group), dist.get_world_size(group)
        self._over = False

    def choose(self, pieces: Sequence[Piece], scores: Floats | None, keep: int) -> Kept | None:
        """As `Alone.choose`; `keep` is one rank's share."""
        own = np.zeros(sum(map(len, pieces)), np.float32) if scores is None else scores
        everyone, sizes = zip(*self._gather((own, keep)), strict=True)
        total, keep = sum(map(len, everyone)), max(sizes)  # a rank without data does not know the size of a batch
        full = total == self._share.drawn(keep) * self._ranks
        number = keep if full else self._share.kept(total) // self._ranks
        if number == 0:
            self._over = True  # for all ranks, in the same round
            return None
        best = select.top(np.concatenate(everyone), number * self._ranks)
        starts = np.cumsum([0, *map(len, everyone)])
        chosen = [best[(best >= start) & (best < stop)] - start for start, stop in pairwise(starts)]
        mine = chosen[self._rank]
        kept = mine[:number]
        dropped = np.ones(own.size, np.bool_)
        dropped[mine] = False
        spare = mine[number:].tolist()
        rows, found = self._even([len(indices) for indices in chosen], number, pick(pieces, spare), own[spare])
        return Kept([*pick(pieces, kept.tolist()), *rows], np.concatenate([own[kept], *found]), dropped)

    def _even(self, counts: list[int], number: int, rows: list[Any], scores: Floats) -> tuple[list[Any], list[Floats]]:
        """Hands out the rows beyond `number` of the ranks that have them; returns what this rank gets."""
        if all(have == number for have in counts):
            return [], []
        offered = self._gather((rows, scores))
        flat = [
            (batch, index, score)
            for batches_, scores_ in offered
            for (batch, index), score in zip(_rows_of(batches_), scores_, strict=True)
        ]
        missing = [max(0, number - have) for have in counts]
        first = sum(missing[: self._rank])
        mine = flat[first : first + missing[self._rank]]
        return [batches.select(batch, [index]) for batch, index, _ in mine], [
            np.array([score], np.float32) for _, _, score in mine
        ]

    def leave(self, reason: str) -> None:
        """Tells the others, who would wait for ever; nothing where all have ended."""
        if not self._over:
            self._over = True
            self._all_gather(_Farewell(reason))

    def _gather(self, value: Any) -> list[Any]:
        """Everyone's value.

        Raises
        ------
        RallyError
            CANCELLED: a rank has left, and said why.
        """
        values = self._all_gather(value)
        for rank, found in enumerate(values):
            if isinstance(found, _Farewell):
                self._over = True
                raise RallyError(Status.CANCELLED, f"rank {rank}: {found.reason}")
        return values

    def _all_gather(self, value: Any) -> list[Any]:
        values: list[Any] = [None] * self._ranks
        try:
            dist.all_gather_object(values, value, group=self._group)
        except BaseException:
            self._over = True
            raise
        return values


@dataclass(frozen=True, slots=True)
class _Farewell:
    """What a rank sends that will take part no more."""

    reason: str


def _rows_of(found: Sequence[Any]) -> list[tuple[Any, int]]:
    return [(batch, index) for batch in found for index in range(batches.row_count(batch))]
