"""Model files whose matrices are stored in another type."""

from __future__ import annotations

import os
from collections.abc import Callable
from ctypes import byref

from . import _handles, _library
from .errors import RallyError, Status
from .rows import choice

#: Types that matrices can be stored in.
STORED_DTYPES = {name: value for name, value in _library.DTYPES.items() if name != "auto"}


def quantize(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    dtype: str = "int8",
    progress: Callable[[int, int], object] | None = None,
    calibration_text: str | None = None,
) -> None:
    """Writes a model file with its matrices stored in another type.

    Embedding, projections and head change; norms, biases, routers, positions and a rater's own head stay as they are.
    The result is an ordinary model file, checked as opening checks it. The same file gives the same bytes.

    Parameters
    ----------
    source : str or path
        The model file that is read.
    target : str or path
        The model file that is written. What stood there is replaced in one step, or untouched on failure and Ctrl-C.
    dtype : {"int8", "q4", "bf16", "f32"}
        Type of the matrices. int8 and q4, four bits, have a scale for every 32 inputs of an output channel. With q4 the
        embedding, the head and matrices whose rows are no multiple of 32 long become int8.
    progress : callable, optional
        Called with the bytes of weights that were checked or stored, and those in all. What it raises ends the call.
    calibration_text : str, optional
        With int8 and q4: the model reads some 16 000 tokens of it, and the matrices are stored so that less is lost of what they
        were given. Text like that which the model will read.

    Raises
    ------
    RallyError
        IO: the target cannot be written. INVALID_ARGUMENT: it is the source, or a text with another type than int8 and q4.
        UNSUPPORTED: a text for a model without a tokenizer. All that opening the source raises.
    """
    library = _library.library()
    paths = [os.fsencode(path) for path in (source, target)]
    for path in paths:
        if b"\0" in path:
            raise RallyError(Status.INVALID_ARGUMENT, f"path: {os.fsdecode(path)!r} contains a zero byte")
    options = library.new("rally_quantize_options")
    options.dtype = choice("dtype", dtype, STORED_DTYPES)
    if calibration_text is not None:
        text = calibration_text.encode()
        options.calibration_text, options.calibration_text_size = text, len(text)
    _handles.call_with_progress(options, progress, lambda: library.call("rally_quantize", *paths, byref(options)))
