"""A stream of tokens as text, by the library's decoder: what the texts of events are compared with."""

from __future__ import annotations

import codecs
from ctypes import byref, c_size_t

import numpy as np

import rally
from rally import _library
from rally._handles import Handle
from rally.tokenizer import options


class TextStream:
    """Tokens in, text out, as it becomes complete: a piece never splits a character."""

    def __init__(self, model: rally.Model, skip_special: bool = False) -> None:
        self._library = model._library
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")
        wishes, decoder = options(self._library, skip_special=skip_special), _library.Handle()
        self._library.call("rally_decoder_open", model._handle.address, byref(wishes), byref(decoder))
        self._decoder = Handle(self._library, "rally_decoder_close", decoder.value, "decoder")

    def push(self, token: int) -> str:
        return self._characters.decode(self._taken("rally_decoder_push", token))

    def finish(self) -> str:
        """What was held back: an unfinished character at most."""
        return self._characters.decode(self._taken("rally_decoder_finish"), True)

    def _taken(self, name: str, *token: int) -> bytes:
        buffer, length = np.empty(4096, np.uint8), c_size_t()
        self._library.call(name, self._decoder.address, *token, buffer.ctypes.data, buffer.size, byref(length))
        return buffer[: length.value].tobytes()
