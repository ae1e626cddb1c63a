"""Text to tokens and back, through the tokenizer inside the model file."""

from __future__ import annotations

import codecs
import threading
from collections.abc import Callable
from ctypes import byref, c_size_t
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _library
from ._handles import Handle
from ._library import Library
from .errors import RallyError, Status
from .rows import Tokens, choice


def to_bytes(text: str | bytes) -> bytes:
    """UTF-8; bytes that Python smuggles through a str as surrogates become themselves again."""
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)


def options(library: Library, **switches: bool | None) -> Any:
    raw = library.new("rally_tokenizer_options")
    for name, value in switches.items():
        setattr(raw, name, choice(name, value, _library.SWITCHES))
    return raw


def encode(library: Library, model: int | None, text: str | bytes, wishes: Any) -> Tokens:
    data = to_bytes(text)

    def fill(address: int | None, capacity: int, count: Any) -> None:
        library.call("rally_encode", model, data, len(data), byref(wishes), address, capacity, count)

    return _filled(fill, len(data) + 8, np.int32)  # a token is at least one byte, but for bos, eos and prefix spaces


def decode(library: Library, model: int | None, tokens: Tokens, wishes: Any) -> bytes:
    def fill(address: int | None, capacity: int, count: Any) -> None:
        library.call("rally_decode", model, tokens.ctypes.data, tokens.size, byref(wishes), address, capacity, count)

    return _filled(fill, 8 * tokens.size, np.uint8).tobytes()


def _filled(fill: Callable[[int | None, int, Any], None], guess: int, dtype: type) -> npt.NDArray[Any]:
    """What `fill` writes: at once where the guess is large enough, else after asking for the size."""
    count = c_size_t()
    buffer: npt.NDArray[Any] = np.empty(guess, dtype)
    try:
        fill(buffer.ctypes.data, guess, byref(count))
    except RallyError as error:
        if error.code != Status.BUFFER_TOO_SMALL:
            raise
        fill(None, 0, byref(count))
        buffer = np.empty(count.value, dtype)
        fill(buffer.ctypes.data, buffer.size, byref(count))
    return buffer[: count.value]


class TokenBytes(dict[int, bytes]):
    """The bytes that each token stands for; the library is asked for a token once. Outlives the model."""

    def __init__(self, library: Library, model: int | None, skip_special: bool) -> None:
        self._library = library
        self._one_at_a_time = threading.Lock()
        wishes = options(library, skip_special=skip_special)
        decoder = _library.Handle()
        library.call("rally_decoder_open", model, byref(wishes), byref(decoder))
        self._decoder = Handle(library, "rally_decoder_close", decoder.value, "decoder")

    def __missing__(self, token: int) -> bytes:
        with self._one_at_a_time:
            text = self[token] = self._taken("rally_decoder_push", token) + self._taken("rally_decoder_finish")
        return text

    def _taken(self, name: str, *token: int) -> bytes:
        capacity, length = 256, c_size_t()
        while True:
            buffer = np.empty(capacity, np.uint8)
            try:
                address = buffer.ctypes.data
                self._library.call(name, self._decoder.address, *token, address, capacity, byref(length))
            except RallyError as error:
                if error.code != Status.BUFFER_TOO_SMALL or capacity >= 1 << 24:
                    raise
                capacity *= 8  # the token was not taken
            else:
                return buffer[: length.value].tobytes()


class TextStream:
    """Tokens in, text out, as it becomes complete: a piece never splits a character."""

    def __init__(self, table: TokenBytes) -> None:
        self._table = table
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        return self._decoder.decode(self._table[token])

    def finish(self) -> str:
        """What was held back: an unfinished character at most."""
        return self._decoder.decode(b"", True)
