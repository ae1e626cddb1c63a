"""Tensors on their way into a model file: named, shaped, and loaded only when they are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

Array = np.ndarray[Any, np.dtype[Any]]

#: Bytes of one element of each type a weight may have.
ELEMENT_BYTES: dict[int, int] = {TensorProto.FLOAT: 4, TensorProto.FLOAT16: 2, TensorProto.BFLOAT16: 2}

ELEMENT_NAMES: dict[int, str] = {TensorProto.FLOAT: "f32", TensorProto.FLOAT16: "f16", TensorProto.BFLOAT16: "bf16"}


@dataclass(frozen=True)
class Tensor:
    """A weight under its canonical name.

    Attributes
    ----------
    name : str
        Name of the initializer.
    dims : tuple of int
        Shape; matrices are [out, in].
    element : int
        ``TensorProto.FLOAT``, ``FLOAT16`` or ``BFLOAT16``.
    load : callable
        Returns the elements, row-major; bfloat16 as the ``uint16`` of its bits. The result is not kept, so that a
        model is never in memory as a whole.
    """

    name: str
    dims: tuple[int, ...]
    element: int
    load: Callable[[], Array]

    @property
    def element_count(self) -> int:
        """Number of elements."""
        return math.prod(self.dims)

    @property
    def byte_count(self) -> int:
        """Bytes of the elements in the file."""
        return self.element_count * ELEMENT_BYTES[self.element]


def float_tensor(name: str, values: Array) -> Tensor:
    """Wrap an array that is already in memory as a ``FLOAT`` tensor."""
    array = np.ascontiguousarray(values, dtype=np.float32)
    return Tensor(name, tuple(array.shape), TensorProto.FLOAT, lambda: array)


def bfloat16_bits(values: Array) -> Array:
    """Round f32 to bfloat16, to nearest even; the result holds the bits as ``uint16``. Finite inputs only."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    return (rounded >> np.uint32(16)).astype(np.uint16)


def is_finite(array: Array, element: int) -> bool:
    """Tell whether every element is finite; ``array`` is what :attr:`Tensor.load` returned."""
    if element == TensorProto.BFLOAT16:
        return not bool(np.any((array & np.uint16(0x7F80)) == np.uint16(0x7F80)))
    return bool(np.isfinite(array).all())
