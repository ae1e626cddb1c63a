"""Whose scores they are: fingerprints, labels, and whether two models read the same tokens."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import byref, c_int32, c_size_t, create_string_buffer
from typing import Any

from . import _library
from ._library import Library
from .rows import choice, integer


def fingerprint(library: Library, model: int | None, squash: bool) -> str:
    switch = choice("squash", squash, _library.SWITCHES)
    return _text(lambda *place: library.call("rally_score_fingerprint", model, switch, *place))


def label(
    library: Library,
    model: int | None,
    squash: bool,
    window: int | None,
    stride: int | None,
    max_windows: int | None,
    packed: int | None,
    more: str,
) -> str:
    raw = library.new("rally_label_options")
    raw.squash = choice("squash", squash, _library.SWITCHES)
    raw.row_tokens = integer("packed", packed or 0, 0, 2**63 - 1)
    raw.window_tokens = integer("window", window or 0, 0, 2**63 - 1)
    raw.stride_tokens = integer("stride", stride or 0, 0, 2**63 - 1)
    raw.max_windows = integer("max_windows", max_windows or 0, 0, 2**63 - 1)
    if more:
        raw.more = more.encode()
    return _text(lambda *place: library.call("rally_score_label", model, byref(raw), *place))


def same_tokens(library: Library, model: int | None, other: int | None) -> bool:
    same = c_int32()
    library.call("rally_same_tokens", model, other, byref(same))
    return bool(same.value)


def _text(fill: Callable[..., Any]) -> str:
    size = c_size_t()
    fill(None, 0, byref(size))
    buffer = create_string_buffer(size.value)
    fill(buffer, size.value, byref(size))
    return buffer.value.decode()
