"""Packed files as the blocks of bytes that were packed, around what is damaged."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

#: Bytes that are read, and at most unpacked, at once.
_CHUNK = 1 << 20

#: Bytes of zstd that are unpacked at once: a block of four may become 128 KiB.
_ZSTD_CHUNK = 1 << 13

#: How each packing begins.
_MAGIC = {
    "gzip": b"\x1f\x8b\x08",
    "zstd": b"\x28\xb5\x2f\xfd",
    "bz2": b"BZh",
    "xz": b"\xfd7zXZ\x00",
    "lzma": b"]\x00\x00",
    "lz4": b"\x04\x22\x4d\x18",
}

#: After a first byte of 0x5?: a frame of zstd that holds no data. Some tools begin with one (pzstd, with the sizes).
_SKIPPED = b"\x2a\x4d\x18"


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes are missing here.

    Attributes
    ----------
    reason : str
    is_end : bool
        Whether nothing follows.
    """

    reason: str
    is_end: bool


def sniff(head: bytes) -> str | None:
    """The packing of a file that begins so; None: none."""
    if head[1:4] == _SKIPPED and head[0] >> 4 == 5:
        return "zstd"
    return next((name for name, magic in _MAGIC.items() if head.startswith(magic)), None)


def blocks(stored: Any, packing: str | None) -> Iterator[bytes | Gap]:
    """What a file holds, from where `stored` stands.

    Where a member of several is damaged, reading goes on with the next one after a `Gap`.
    """
    if packing is None:
        while block := stored.read(_CHUNK):
            yield block
    elif packing in ("gzip", "bz2", "xz", "lzma") or (packing == "zstd" and _zstandard() is not None):
        yield from _members(_Source(stored), packing)
    else:
        yield from _by_arrow(stored, packing)


class _Source:
    """The packed bytes, of which some may be put back."""

    def __init__(self, stored: Any) -> None:
        self._stored = stored
        self._back = b""

    def read(self) -> bytes:
        taken, self._back = self._back, b""
        return taken or self._stored.read(_CHUNK)

    def put_back(self, data: bytes) -> None:
        self._back = data + self._back


def _members(source: _Source, packing: str) -> Iterator[bytes | Gap]:
    """All members of a file, one after the other; zeros between and after them are padding."""
    unpack = {"gzip": _gzip, "bz2": _bz2, "xz": _xz, "lzma": _xz, "zstd": _zstd}[packing]
    while True:
        data = source.read().lstrip(b"\0")
        if not data:
            if source.read() == b"":
                return
            continue
        source.put_back(data)
        try:
            yield from unpack(source)
        except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError) as error:
            found = _next_member(source, packing)
            yield Gap(_words(error, packing), not found)
            if not found:
                return


def _next_member(source: _Source, packing: str) -> bool:
    """Goes to where another member seems to begin."""
    magic = _MAGIC[packing]
    data = source.read()[1:]
    while True:
        at = data.find(magic)
        if at >= 0:
            source.put_back(data[at:])
            return True
        more = source.read()
        if not more:
            return False
        data = data[-len(magic) :] + more


def _gzip(source: _Source) -> Iterator[bytes]:
    yield from _stream(source, zlib.decompressobj(31), lambda decoder, data: decoder.decompress(data, _CHUNK))


def _bz2(source: _Source) -> Iterator[bytes]:
    yield from _stream(source, bz2.BZ2Decompressor(), lambda decoder, data: decoder.decompress(data, _CHUNK))


def _xz(source: _Source) -> Iterator[bytes]:
    yield from _stream(source, lzma.LZMADecompressor(), lambda decoder, data: decoder.decompress(data, _CHUNK))


def _stream(source: _Source, decoder: Any, step: Callable[[Any, bytes], bytes]) -> Iterator[bytes]:
    """One member; what follows it is put back. After an error, what was read last is."""
    while not decoder.eof:
        data = source.read()
        if not data:
            raise EOFError("it ends before its end")
        while True:
            try:
                block = step(decoder, data)
            except Exception:
                source.put_back(data)
                raise
            if block:
                yield block
            if decoder.eof:
                break
            data = getattr(decoder, "unconsumed_tail", b"")
            if not data and getattr(decoder, "needs_input", not block or len(block) < _CHUNK):
                break
    source.put_back(decoder.unused_data)


def _zstd(source: _Source) -> Iterator[bytes]:
    zstandard = _zstandard()
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
    while not decoder.eof:
        data = source.read()
        if not data:
            raise EOFError("it ends before its end")
        source.put_back(data[_ZSTD_CHUNK:])
        try:
            block = decoder.decompress(data[:_ZSTD_CHUNK])
        except zstandard.ZstdError as error:
            source.put_back(data[:_ZSTD_CHUNK])
            raise ValueError(str(error)) from None
        if block:
            yield block
    source.put_back(decoder.unused_data)


def _by_arrow(stored: Any, packing: str) -> Iterator[bytes | Gap]:
    """lz4, and zstd where the module zstandard is missing."""
    stream = pa.CompressedInputStream(pa.PythonFile(stored, "r"), packing)
    try:
        while block := stream.read(_CHUNK):
            yield block
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
        yield Gap(_words(error, packing), True)


def _words(error: BaseException, packing: str) -> str:
    text = next(iter(str(error).splitlines()), type(error).__name__)
    if packing == "zstd" and ("too much memory" in text or "window" in text):
        return f'packed with zstd --long, which needs the module zstandard (pip install "rally-runtime[score]"): {text}'
    return f"{packing}: {text}"


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError:
        return None
    return zstandard
