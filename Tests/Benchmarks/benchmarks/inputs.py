"""The token ids that all contenders get: seeded, uniform over the vocabulary, made again by each process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]


def random_ids(seed: int, *shape: int, vocabulary: int) -> Ids:
    """Return ids of this shape."""
    return np.random.default_rng(seed).integers(0, vocabulary, shape)


def ragged_rows(seed: int, lengths: list[int], vocabulary: int) -> list[Ids]:
    """Return one row of ids per length."""
    stream = np.random.default_rng(seed)
    return [stream.integers(0, vocabulary, length) for length in lengths]


def ragged_lengths(seed: int, count: int, least: int, most: int) -> list[int]:
    """Return lengths, uniform from ``least`` to ``most``."""
    return [int(length) for length in np.random.default_rng(seed).integers(least, most + 1, count)]


def padded_batches(rows: list[Ids], batch: int) -> Iterator[tuple[list[int], Ids, Ids]]:
    """Give rows sorted by length in batches, padded at the end: their places, ids [B, T] and mask [B, T]."""
    order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
    for first in range(0, len(order), batch):
        places = order[first : first + batch]
        ids = np.zeros((len(places), max(len(rows[index]) for index in places)), np.int64)
        mask = np.zeros_like(ids)
        for line, index in enumerate(places):
            ids[line, : len(rows[index])], mask[line, : len(rows[index])] = rows[index], 1
        yield places, ids, mask


def relative_error(found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> float:
    """Return the greatest difference over the greatest magnitude."""
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())
