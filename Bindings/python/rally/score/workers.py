"""Processes that rate at the same time; their results come in the order of the batches."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from types import TracebackType

from ..cascade import Band
from ..errors import RallyError, Status
from .batches import Batch
from .cascading import CascadeRaters, opened
from .documents import Document
from .raters import Rated, Raters
from .settings import Settings

_PR_SET_PDEATHSIG = 1

_raters: Raters | None = None
"""Of a worker process."""


class Workers:
    """Rates batches, here or in processes of their own.

    Parameters
    ----------
    settings : Settings
    raters : Raters
        Of this process.
    """

    def __init__(self, settings: Settings, raters: Raters) -> None:
        self._here = raters
        self._count = settings.workers
        self._pool: ProcessPoolExecutor | None = None
        if settings.workers > 1:
            threads = max((settings.threads or len(os.sched_getaffinity(0))) // settings.workers, 1)
            self._pool = ProcessPoolExecutor(
                settings.workers,
                multiprocessing.get_context("spawn"),
                _open,
                (replace(settings, threads=threads), os.getpid(), getattr(raters, "band", None)),
            )

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def rated(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Rated | None]]:
        """Each batch with what the models say of its documents, in the order of the batches.

        Raises
        ------
        RallyError
            IO: a worker process ended. What `Raters.rate` raises.
        """
        if self._pool is None:
            for batch in batches:
                yield batch, self._here.rate(batch.documents) if batch.documents else None
            return
        waiting: deque[tuple[Batch, Future[Rated] | None]] = deque()
        try:
            for batch in batches:
                waiting.append((batch, self._submitted(batch)))
                if len(waiting) > 2 * self._count:
                    yield _answered(*waiting.popleft())
            while waiting:
                yield _answered(*waiting.popleft())
        except BrokenProcessPool:
            message = "a worker process ended, perhaps for want of memory; the same command goes on from here"
            raise RallyError(Status.IO, message) from None

    def _submitted(self, batch: Batch) -> Future[Rated] | None:
        assert self._pool is not None
        return self._pool.submit(_rate, batch.documents) if batch.documents else None


def _answered(batch: Batch, answer: Future[Rated] | None) -> tuple[Batch, Rated | None]:
    return batch, None if answer is None else answer.result()


def _open(settings: Settings, parent: int, band: Band | None) -> None:
    """Begins a worker, which ends with its parent, however that ends."""
    global _raters
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    _raters = opened(settings)
    if isinstance(_raters, CascadeRaters) and band is not None:
        _raters.use(band)


def _rate(documents: list[Document]) -> Rated:
    assert _raters is not None
    return _raters.rate(documents)
