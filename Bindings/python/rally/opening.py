"""How a model file is opened and checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from ctypes import byref
from typing import Any, TypeVar

from . import _handles, _library
from ._c.structs import LogCallback
from .errors import RallyError, Status
from .pool import Pool, address_of
from .rows import choice, integer

T = TypeVar("T")

LEVELS = ("debug", "info", "warning")


def validate(
    path: str | os.PathLike[str], threads: int = 0, *, max_file_bytes: int = 0, max_tensor_bytes: int = 0
) -> None:
    """Checks a model file as opening it does, weights included, and keeps nothing.

    Parameters
    ----------
    path : str or path
    threads, max_file_bytes, max_tensor_bytes : int
        As in `Model`.

    Raises
    ------
    RallyError
        What is wrong with the file.
    """
    encoded, library = encoded_path(path), _library.library()
    options = model_options("auto", threads, max_file_bytes, max_tensor_bytes)
    watched(options, None, None, lambda: library.call("rally_model_validate", encoded, byref(options)))


def encoded_path(path: str | os.PathLike[str]) -> bytes:
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise RallyError(Status.INVALID_ARGUMENT, f"path: {path!r} contains a zero byte")
    return encoded


def model_options(
    dtype: str,
    threads: int,
    max_file_bytes: int,
    max_tensor_bytes: int,
    cache: str | os.PathLike[str] | None = None,
    share_weights: bool | None = None,
    pool: Pool | None = None,
    max_memory_bytes: int = 0,
) -> Any:
    options = _library.library().new("rally_model_options")
    options.dtype = choice("dtype", dtype, _library.DTYPES)
    options.threads = integer("threads", threads, 0, 256)
    options.max_file_bytes = integer("max_file_bytes", max_file_bytes, 0, 2**64 - 1)
    options.max_tensor_bytes = integer("max_tensor_bytes", max_tensor_bytes, 0, 2**64 - 1)
    if cache is not None:
        options.cache_folder = encoded_path(cache)
    options.share_weights = choice("share_weights", share_weights, _library.SWITCHES)
    options.pool = address_of(pool)
    options.max_memory_bytes = integer("max_memory_bytes", max_memory_bytes, 0, 2**64 - 1)
    return options


def watched(
    options: Any,
    progress: Callable[[int, int], object] | None,
    log: Callable[[str, str], object] | None,
    call: Callable[[], T],
) -> T:
    """Makes a call with `options`, which Ctrl-C ends, and so does what `progress` raises. What `log` raises comes after it."""
    raised: list[BaseException] = []

    def hear(user: int | None, level: int, line: bytes) -> None:
        try:
            if log and not raised:
                log(LEVELS[level], line.decode("utf-8", "replace"))
        except BaseException as error:
            raised.append(error)

    options.log = LogCallback(hear)
    result = _handles.call_with_progress(options, progress, call)
    if raised:
        raise raised[0]
    return result
