"""A model file that was opened, and whose turn it is to compute with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from ctypes import byref, c_uint64
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np

from . import _handles, _library, info, opening
from ._handles import Closing, Handle, Turn
from .info import ModelInfo, TensorInfo
from .pool import Pool
from .rows import Rows, choice, integer

T = TypeVar("T")


class OpenedModel(Closing):
    """What every model has: a file, what it says of itself, and one call at a time that computes."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        dtype: str = "auto",
        threads: int = 0,
        batch_tokens: int = 0,
        cache_dtype: str = "f32",
        *,
        max_file_bytes: int = 0,
        max_tensor_bytes: int = 0,
        cache: str | os.PathLike[str] | None = None,
        share_weights: bool | None = None,
        pool: Pool | None = None,
        max_memory_bytes: int = 0,
        progress: Callable[[int, int], object] | None = None,
        log: Callable[[str, str], object] | None = None,
    ) -> None:
        encoded = opening.encoded_path(path)
        options = opening.model_options(
            dtype, threads, max_file_bytes, max_tensor_bytes, cache, share_weights, pool, max_memory_bytes
        )
        name = Path(os.fsdecode(encoded)).name
        self._open(name, "rally_model_open", (encoded,), options, batch_tokens, cache_dtype, progress, log)

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        dtype: str = "auto",
        threads: int = 0,
        batch_tokens: int = 0,
        cache_dtype: str = "f32",
        *,
        max_file_bytes: int = 0,
        max_tensor_bytes: int = 0,
        pool: Pool | None = None,
        max_memory_bytes: int = 0,
    ) -> Self:
        """Opens a model file that is in memory; it must not keep tensors in a second file."""
        model = cls.__new__(cls)
        array = np.frombuffer(data, np.uint8)
        source = (array.ctypes.data, array.size)
        options = opening.model_options(
            dtype, threads, max_file_bytes, max_tensor_bytes, pool=pool, max_memory_bytes=max_memory_bytes
        )
        model._open("from memory", "rally_model_open_memory", source, options, batch_tokens, cache_dtype)
        return model

    def _open(
        self,
        name: str,
        function: str,
        source: tuple[Any, ...],
        options: Any,
        batch_tokens: int,
        cache_dtype: str,
        progress: Callable[[int, int], object] | None = None,
        log: Callable[[str, str], object] | None = None,
    ) -> None:
        self._name = name
        self._threads, self._pool = options.threads, options.pool
        self._batch_tokens = integer("batch_tokens", batch_tokens, 0, 2**32 - 1)
        self._cache_dtype = choice("cache_dtype", cache_dtype, _library.CACHE_DTYPES)
        self._library = _library.library()
        self._turn = Turn()
        self._runner_handle: Handle | None = None

        def opened() -> Handle:
            model = _library.Handle()
            self._library.call(function, *source, byref(options), byref(model))
            return Handle(self._library, "rally_model_close", model.value, f"model {name}")

        self._handle = opening.watched(options, progress, log, opened)
        self._info = info.read_info(self._library, self._handle.address)
        if self._pool:  # its threads run already, and it may be closed from here on
            self._runner()

    def close(self) -> None:
        """Cancels the call in progress and frees everything. A second time: nothing."""
        # The model first: no runner is opened on a closed model, so the one found below is the last.
        self._handle.close()
        if self._runner_handle is not None:
            self._runner_handle.close()

    def __repr__(self) -> str:
        return f"<rally.Model {self._name}: {self.kind}, {self._info.parameter_count:,} parameters>"

    @property
    def kind(self) -> str:
        """ "lm" or "rater"."""
        return self._info.kind

    @property
    def info(self) -> ModelInfo:
        """Sizes, routing and kind."""
        _ = self._handle.address
        return self._info

    @property
    def metadata(self) -> dict[str, str]:
        """The file's metadata, in its order."""
        return info.read_metadata(self._library, self._handle.address)

    @property
    def tensors(self) -> tuple[TensorInfo, ...]:
        """The weight tensors, as the file stores them."""
        return info.read_tensors(self._library, self._handle.address)

    def memory(self, lengths: Sequence[int], new_tokens: int = 0) -> int:
        """Greatest number of bytes that a call takes for rows of these lengths, besides the model's own weights.

        Parameters
        ----------
        lengths : sequence of int
            Tokens of each row.
        new_tokens : int
            Tokens generated per row; 0 for calls that generate none.
        """
        offsets = np.concatenate(([0], np.cumsum([integer("lengths", length, 0, 2**40) for length in lengths])))
        offsets = offsets.astype(np.uintp)
        count, added = c_uint64(), integer("new_tokens", new_tokens, 0, 2**40)

        def asked() -> None:
            arguments = (self._runner(), offsets.ctypes.data, len(lengths), added, byref(count))
            self._library.call("rally_runner_memory", *arguments)

        self._compute(asked)
        return count.value

    def cancel(self) -> None:
        """Makes the call in progress fail with CANCELLED soon (generation ends with what it has). From any thread."""
        runner = self._runner_handle
        if runner is not None and runner.close.alive:
            self._library.c.rally_runner_cancel(runner.address)

    def _compute(self, function: Callable[[], T]) -> T:
        """Calls `function` when it is its turn."""
        _ = self._handle.address  # a forked child must not wait for a lock that a thread of its parent held
        return _handles.call(function, self.cancel, self._turn)

    def _runner(self) -> int | None:
        """The runner's address; its threads start with the first call that computes. Called in turn."""
        model = self._handle.address
        if self._runner_handle is None:
            options = self._library.new("rally_runner_options")
            options.threads, options.max_batch_tokens = self._threads, self._batch_tokens
            options.cache_dtype, options.pool = self._cache_dtype, self._pool
            runner = _library.Handle()
            self._library.call("rally_runner_open", model, byref(options), byref(runner))
            self._runner_handle = Handle(self._library, "rally_runner_close", runner.value, f"model {self._name}")
            if not self._handle.close.alive:  # closed meanwhile, by a thread that saw no runner
                self._runner_handle.close()
        return self._runner_handle.address


def arguments(rows: Rows) -> tuple[int, int, int]:
    """Rows as the library takes them."""
    return rows.tokens.ctypes.data, rows.offsets.ctypes.data, len(rows)
