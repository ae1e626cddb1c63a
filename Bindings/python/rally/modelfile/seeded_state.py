"""The normal numbers that a looped model may start from: those of docs/format.md, as a table that graphs read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from rally.modelfile.tensors import Array, Tensor

#: The table's name: a graph's own, which is no weight.
TABLE = "graph.initial_state"


@dataclass(frozen=True)
class SeededState:
    """States that depend on position and channel alone.

    Attributes
    ----------
    deviation : float
        Above 0.
    seed : int
        From 0, below 2⁶³.
    """

    deviation: float
    seed: int

    def values(self, positions: int, width: int) -> Array:
        """Return the states [positions, width] in f32."""
        return np.concatenate(
            [self._rows(np.arange(start, min(start + 256, positions)), width) for start in range(0, positions, 256)]
        )

    def _rows(self, positions: Array, width: int) -> Array:
        place = positions.astype(np.uint64)[:, None] << np.uint64(20) | np.arange(width, dtype=np.uint64)
        word = np.uint64(self.seed) + (place + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        word = (word ^ word >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ word >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        word ^= word >> np.uint64(31)
        halves = word >> np.uint64(32), word & np.uint64(0xFFFFFFFF)
        u, v = ((half.astype(np.float64) + 0.5) / 2**32 for half in halves)
        rows: Array = self.deviation * np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)
        return rows.astype(np.float32)

    def tensor(self, positions: int, width: int) -> Tensor:
        """Return them as the table of a graph."""
        return Tensor(TABLE, (positions, width), TensorProto.FLOAT, lambda: self.values(positions, width))
