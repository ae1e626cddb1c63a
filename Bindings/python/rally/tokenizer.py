"""Text to tokens and back, through the tokenizer inside the model file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ctypes import byref, c_size_t
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _library
from ._library import Library
from .errors import RallyError, Status
from .rows import Tokens, choice

#: Whether special tokens are read in texts that anybody may have written: documents, and what clients send. As the library's own
#: rule for documents; what a program encodes itself is read as the library's default says.
ANYBODYS_SPECIAL = False


def to_bytes(text: str | bytes) -> bytes:
    """UTF-8; bytes that Python smuggles through a str as surrogates become themselves again.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: half of a surrogate pair, which is no character.
    """
    try:
        return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError as error:
        found = f"half of a surrogate pair, U+{ord(error.object[error.start]):04X}, at character {error.start}"
        raise RallyError(Status.INVALID_ARGUMENT, f"expected Unicode, found {found}; leave it out") from None


def options(library: Library, **switches: bool | None) -> Any:
    raw = library.new("rally_tokenizer_options")
    for name, value in switches.items():
        setattr(raw, name, choice(name, value, _library.SWITCHES))
    return raw


def encode(library: Library, model: int | None, text: str | bytes, raw: Any, function: str = "rally_encode") -> Tokens:
    data = to_bytes(text)

    def fill(address: int | None, capacity: int, count: Any) -> None:
        library.call(function, model, data, len(data), byref(raw), address, capacity, count)

    return _filled(fill, len(data) + 8, np.int32)  # a token is at least one byte, but for bos, eos and prefix spaces


def has_texts(rows: Any) -> bool:
    """Whether any of the rows is a text."""
    return isinstance(rows, (list, tuple)) and any(isinstance(row, (str, bytes)) for row in rows)


def encode_texts(
    library: Library, model: int | None, rows: Sequence[Any], raw: Any, function: str = "rally_encode"
) -> list[Any]:
    """The rows with the tokens of those that are texts.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: a row is missing, or no Unicode; it is named.
    """
    found = list(rows)
    for index, row in enumerate(found):
        if row is None or isinstance(row, float):
            raise RallyError(
                Status.INVALID_ARGUMENT, f"row {index}: expected a text, found {'null' if row is None else row}"
            )
        if isinstance(row, (str, bytes)):
            try:
                found[index] = encode(library, model, row, raw, function)
            except RallyError as error:
                if error.code != Status.INVALID_ARGUMENT:
                    raise
                raise RallyError(error.code, f"row {index}: {error.message}") from None
    return found


def decode(library: Library, model: int | None, tokens: Tokens, raw: Any) -> bytes:
    def fill(address: int | None, capacity: int, count: Any) -> None:
        library.call("rally_decode", model, tokens.ctypes.data, tokens.size, byref(raw), address, capacity, count)

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
