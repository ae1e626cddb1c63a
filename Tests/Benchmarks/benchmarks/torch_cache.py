"""Keys and values of the PyTorch model: per recursion and layer, only of the tokens that took part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

#: Part of the model, recursion, layer within the part.
Slot = tuple[str, int, int]


@dataclass(frozen=True)
class Places:
    """Where one step's keys and values go.

    Attributes
    ----------
    rows : Tensor or None
        [n] sequences that take part; None where all do.
    at : Tensor
        [n] place of the new token in each one's cache.
    extent : int
        Places to look at: up to the furthest new token.
    mask : Tensor or None
        [n, 1, 1, extent] bool, which places hold a token; None where all do.
    """

    rows: Tensor | None
    at: Tensor
    extent: int
    mask: Tensor | None


class RecursionCache:
    """Caches [B, G, C, K] of every slot, filled from the front: a token that was not selected takes no place.

    Parameters
    ----------
    slots : iterable of Slot
    shape : tuple of int
        (B, G, C, K).
    dtype : torch.dtype
    """

    def __init__(self, slots: Iterable[Slot], shape: tuple[int, int, int, int], dtype: torch.dtype) -> None:
        self.position = 0
        self.keys = {slot: torch.zeros(shape, dtype=dtype) for slot in slots}
        self.values = {slot: torch.zeros(shape, dtype=dtype) for slot in self.keys}
        self.counts = {slot[:2]: torch.zeros(shape[0], dtype=torch.int64) for slot in self.keys}
        self.batch = shape[0]

    def append(self, part: str, recursion: int, rows: Tensor) -> Places:
        """Take a place for one more token of each of ``rows`` [n], the same in all layers of the part."""
        counts = self.counts[(part, recursion)] if (part, recursion) in self.counts else torch.zeros(self.batch)
        at = counts[rows].long()
        counts[rows] += 1
        extent, least = int(at.max()) + 1, int(at.min()) + 1
        mask = None if extent == least else (torch.arange(extent) <= at[:, None])[:, None, None]
        return Places(None if len(rows) == self.batch else rows, at, extent, mask)

    def store(self, slot: Slot, places: Places, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store k, v [n, G, K] and return the keys and values to attend to, [n, G, extent, K]."""
        found = []
        for cache, new in ((self.keys[slot], k), (self.values[slot], v)):
            rows = torch.arange(self.batch) if places.rows is None else places.rows
            cache[rows, :, places.at] = new
            seen = cache[:, :, : places.extent]
            found.append(seen if places.rows is None else seen[places.rows])
        return found[0], found[1]
