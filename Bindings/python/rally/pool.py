"""Threads that models and engines share."""

from __future__ import annotations

from ctypes import byref

from . import _library
from ._handles import Closing, Handle
from .rows import integer


class Pool(Closing):
    """Threads that compute for any number of models and engines, whose passes take turns.

    So many of them in one process do not start as many threads each. What they compute is the same, bit for bit. After
    a fork the child makes a pool of its own.

    Parameters
    ----------
    threads : int
        0: as many as this process may use; at most 256. With 1, each computes on the thread that calls.

    Examples
    --------
    >>> pool = rally.Pool()
    >>> raters = [rally.Model(path, pool=pool) for path in paths]
    """

    def __init__(self, threads: int = 0) -> None:
        library = _library.library()
        pool = _library.Handle()
        library.call("rally_pool_open", integer("threads", threads, 0, 2**32 - 1), byref(pool))
        self._handle = Handle(library, "rally_pool_close", pool.value, "pool")

    def close(self) -> None:
        """Lets the threads go; models and engines that have them go on. A second time: nothing."""
        self._handle.close()


def address_of(pool: Pool | None) -> int | None:
    """What options take."""
    return None if pool is None else pool._handle.address
