"""Prepared files: weights packed once, mapped by every process that opens them."""

from __future__ import annotations

import os
from collections.abc import Callable
from ctypes import byref

from . import _handles, _library
from .opening import encoded_path
from .rows import choice, integer


def prepare(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    dtype: str = "auto",
    threads: int = 0,
    progress: Callable[[int, int], object] | None = None,
    calibration_text: str | None = None,
) -> None:
    """Writes a model file with its weights packed as this processor's products read them.

    `Model` maps the result instead of packing: it opens at once, and all processes share its pages. It gives the bits of the
    source opened with `dtype`, and has its fingerprint. It serves this instruction set and this version of the library.

    Parameters
    ----------
    source : str or path
        The model file that is read.
    target : str or path
        The prepared file. What stood there is replaced in one step, or untouched on failure and Ctrl-C.
    dtype : {"auto", "f32", "bf16", "int8", "q4"}
        Element type of the matrix products; auto: what most weights of the layers are stored in.
    threads : int
        Threads that pack; 0: as many as this process may use.
    progress : callable, optional
        Called with the bytes that were checked, packed or written, and those in all. What it raises ends the call.
    calibration_text : str, optional
        With int8 and q4: as in `quantize`, whose result is prepared then.

    Raises
    ------
    RallyError
        IO: the target cannot be written. INVALID_ARGUMENT: it is the source. UNSUPPORTED: the source is prepared already.
        All that opening the source raises.
    """
    library = _library.library()
    paths = [encoded_path(path) for path in (source, target)]
    options = library.new("rally_prepare_options")
    options.dtype = choice("dtype", dtype, _library.DTYPES)
    options.threads = integer("threads", threads, 0, 256)
    if calibration_text is not None:
        text = calibration_text.encode()
        options.calibration_text, options.calibration_text_size = text, len(text)
    _handles.call_with_progress(options, progress, lambda: library.call("rally_model_prepare", *paths, byref(options)))


#: The first bytes of a prepared file.
MAGIC = b"\x89rally\r\n"


def is_prepared(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a prepared one."""
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC
