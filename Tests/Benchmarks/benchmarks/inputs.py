"""The token ids that all contenders get: seeded, uniform over the vocabulary, made again by each process."""

from __future__ import annotations

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


def relative_error(found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> float:
    """Return the greatest difference over the greatest magnitude."""
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())
