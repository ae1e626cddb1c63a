"""Reads a GGUF file: its keys, and its tensors one at a time. No length is used before it is checked."""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rally.modelfile import ModelFileError
from rally.modelfile.tensors import Array

MAGIC = b"GGUF"
VERSIONS = (2, 3)

#: Types of values → their form for ``struct``; 8 is text, 9 a list.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
_ALIGNMENT = 32
_LONGEST_NAME = 1 << 16
_MOST_DIMS = 4


def is_gguf(path: Path) -> bool:
    """Tell whether a path is a file that begins as GGUF does."""
    if not path.is_file():
        return False
    with open(path, "rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


@dataclass(frozen=True)
class GgufTensor:
    """A tensor of the file.

    Attributes
    ----------
    dims : tuple of int
        Shape, rows first, as NumPy has it.
    kind : str
        Name of its element type, such as ``Q4_K``.
    load : callable
        Returns the elements: ``float16`` as they are, bfloat16 as the ``uint16`` of its bits, others as f32.
    """

    dims: tuple[int, ...]
    kind: str
    load: Callable[[], Array]


class GgufFile:
    """An open GGUF file.

    Attributes
    ----------
    values : dict
        Keys and values as the file has them.
    tensors : dict of str to GgufTensor
        By the file's own names.

    Raises
    ------
    ModelFileError
        When it is cut off, of another version, or holds what the ``gguf`` package cannot read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = {}
        self.tensors: dict[str, GgufTensor] = {}
        with open(path, "rb") as stream:
            self._bytes = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        self._place = len(MAGIC)
        version = self._scalar("I")
        if version not in VERSIONS:
            raise ModelFileError(f"{path.name}: GGUF version {version} is not supported; known: 2 and 3, little-endian")
        tensor_count, value_count = self._scalar("Q"), self._scalar("Q")
        for _ in range(value_count):
            key = self._text(_LONGEST_NAME)
            if key in self.values:
                raise ModelFileError(f"{path.name}: key {key} is there twice")
            self.values[key] = self._value(self._scalar("I"))
        headers = [self._header() for _ in range(tensor_count)]
        alignment = self.values.get("general.alignment", _ALIGNMENT)
        if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20:
            raise ModelFileError(f"{path.name}: general.alignment has the unusable value {alignment!r}")
        start = -(-self._place // alignment) * alignment
        for name, dims, kind, offset in headers:
            if name in self.tensors:
                raise ModelFileError(f"{path.name}: tensor {name} is there twice")
            self.tensors[name] = self._tensor(name, dims, kind, start + offset)

    def _take(self, count: int) -> memoryview:
        end = self._place + count
        if end > len(self._bytes):
            raise ModelFileError(
                f"{self.path.name}: cut off: needs {count} bytes at {self._place}, has {len(self._bytes)}"
            )
        part = self._bytes[self._place : end]
        self._place = end
        return part

    def _scalar(self, form: str) -> Any:
        return struct.unpack(f"<{form}", self._take(struct.calcsize(f"<{form}")))[0]

    def _text(self, longest: int = 1 << 32) -> str:
        length = self._scalar("Q")
        if length > longest:
            raise ModelFileError(f"{self.path.name}: a name of {length} bytes at {self._place}")
        try:
            return bytes(self._take(length)).decode()
        except UnicodeDecodeError:
            raise ModelFileError(f"{self.path.name}: text at {self._place} is not UTF-8") from None

    def _value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind == _TEXT:
            return self._text()
        if kind == _LIST:
            return self._list()
        raise ModelFileError(f"{self.path.name}: a value of the unknown type {kind} at {self._place}")

    def _list(self) -> list[Any]:
        kind, count = self._scalar("I"), self._scalar("Q")
        if kind in _SCALARS:
            form = f"<{count}{_SCALARS[kind]}" if count <= len(self._bytes) else ""
            return list(struct.unpack(form, self._take(struct.calcsize(form) if form else count)))
        if kind == _TEXT:
            return [self._text() for _ in range(count)]
        raise ModelFileError(f"{self.path.name}: a list of the unknown type {kind} at {self._place}")

    def _header(self) -> tuple[str, tuple[int, ...], int, int]:
        name, rank = self._text(_LONGEST_NAME), self._scalar("I")
        if not 0 < rank <= _MOST_DIMS:
            raise ModelFileError(f"{self.path.name}: {name} has {rank} dimensions")
        dims = tuple(self._scalar("Q") for _ in range(rank))[::-1]
        if 0 in dims:  # no bytes of the file would bound the others
            raise ModelFileError(f"{self.path.name}: {name} has the dimensions {dims}; expected none of 0")
        return name, dims, self._scalar("I"), self._scalar("Q")

    def _tensor(self, name: str, dims: tuple[int, ...], number: int, offset: int) -> GgufTensor:
        gguf = _package()
        try:
            kind = gguf.GGMLQuantizationType(number)
        except ValueError:
            raise ModelFileError(f"{self.path.name}: {name}: element type {number} is not known") from None
        block, size = gguf.GGML_QUANT_SIZES[kind]
        if dims[-1] % block:
            raise ModelFileError(
                f"{self.path.name}: {name}: rows of {dims[-1]} do not fill blocks of {block} ({kind.name})"
            )
        byte_count = math.prod(dims) // block * size
        if offset + byte_count > len(self._bytes):
            raise ModelFileError(
                f"{self.path.name}: cut off: {name} ends at {offset + byte_count}, has {len(self._bytes)}"
            )
        rows = (*dims[:-1], dims[-1] // block * size)
        raw = self._bytes[offset : offset + byte_count]
        return GgufTensor(
            dims, kind.name, lambda: self._elements(name, np.frombuffer(raw, np.uint8).reshape(rows), kind)
        )

    def _elements(self, name: str, raw: Array, kind: Any) -> Array:
        """Return the elements of ``raw``, [..., bytes of a row] uint8."""
        if kind.name in ("F32", "F16", "BF16"):
            return raw.view({"F32": np.float32, "F16": np.float16, "BF16": np.uint16}[kind.name])
        try:
            values: Array = _package().dequantize(raw, kind)
        except NotImplementedError:
            raise ModelFileError(f"{self.path.name}: {name}: element type {kind.name} is not supported") from None
        return values


def _package() -> Any:
    try:
        import gguf
    except ImportError:
        raise ModelFileError("a GGUF file needs the package gguf: pip install 'rally-runtime[convert]'") from None
    return gguf
