"""Rotary positions: the frequencies that a description carries, and how they get into the file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rally.modelfile.tensors import Array, Tensor, float_tensor


@dataclass(frozen=True)
class RopeTable:
    """Frequencies that are not those of a plain ``rope_theta``.

    Attributes
    ----------
    inv_freq : tuple of float
        ω [K/2]: position p turns pair i by p · ω_i. Computed in f64, stored as f32.
    attention_factor : float
        Multiplies cos and sin, on queries and on keys (yarn).
    """

    inv_freq: tuple[float, ...] = field(repr=False)
    attention_factor: float = 1.0

    def tensor(self, index: int) -> Tensor:
        """Return the table as the weight ``rope.{index}.inv_freq``."""
        return float_tensor(f"rope.{index}.inv_freq", np.array(self.inv_freq, dtype=np.float64))


def plain_frequencies(theta: float, head_dim: int) -> Array:
    """Return θ^(−2i/K) for i < K/2, in f64."""
    exponents = np.arange(0, head_dim, 2, dtype=np.float64) / head_dim
    frequencies: Array = theta**-exponents
    return frequencies
