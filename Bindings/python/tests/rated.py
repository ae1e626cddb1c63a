"""Rows whose score is written in them, and what a loader should make of them, from first principles."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import torch

WIDTH = 3
RATED = 7
"""Scores repeat, so that there are ties."""


def row(position: int) -> list[int]:
    """Tokens of the row at a position: first its number, then its score."""
    return [position, position * 5 % RATED, 1]


def scores(rows: Any) -> np.ndarray:
    """The rater: it reads the second token of each row."""
    return rows.tokens.reshape(-1, WIDTH)[:, 1].astype(np.float32)


def tensors(count: int, size: int) -> list[torch.Tensor]:
    """Batches of `size` rows; the last may be shorter."""
    data = torch.tensor([row(position) for position in range(count)]).reshape(-1, WIDTH)
    return list(data.split(size)) if count else []


def kept(count: int, size: int, keep: str, first: int = 0) -> list[list[int]]:
    """Positions of the rows of every batch: sorted by hand, with exact fractions."""
    share = Fraction(keep)
    draw = math.ceil(size / share)
    found = []
    for start in range(first, count, draw):
        drawn = range(start, min(start + draw, count))
        number = size if len(drawn) == draw else int(len(drawn) * share)
        best = sorted(drawn, key=lambda position: (-row(position)[1], position))[:number]
        if best:
            found.append(sorted(best))
    return found


def positions(batch: Any) -> list[int]:
    """Numbers of the rows of a batch."""
    return [int(one[0]) for one in batch]


class Counted:
    """A loader that knows how far it is, as one that reads from a stream does."""

    def __init__(self, count: int, size: int) -> None:
        self.batches = tensors(count, size)
        self.next = 0
        self.handed_out = 0

    def __iter__(self) -> Iterator[torch.Tensor]:
        while self.next < len(self.batches):
            self.next += 1
            self.handed_out += 1
            yield self.batches[self.next - 1]
        self.next = 0

    def state_dict(self) -> dict[str, int]:
        return {"next": self.next}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.next = state["next"]
