"""Work that runs ahead of whoever takes its results, on one thread."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Calls `work` again and again on a thread of its own, at most `count` results ahead.

    An exception of `work` is raised where its result would have been taken, and ends the thread, as a None does.

    Parameters
    ----------
    work : callable
        The next result, or None at the end.
    count : int
    cores : collection of int, optional
        Where the thread may run, and threads that it starts.
    leave : callable
        Called on the thread when it is stopped before the end.
    """

    def __init__(
        self,
        work: Callable[[], T | None],
        count: int,
        cores: Collection[int] | None = None,
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._work = work
        self._leave = leave
        self._cores = cores
        self._results: queue.Queue[T | BaseException | None] = queue.Queue()
        self._room = threading.Semaphore(count)
        self._stopped = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="rally-ahead", daemon=True)
        self._thread.start()

    def take(self) -> T | None:
        """The next result; None at the end, again and again.

        Raises
        ------
        BaseException
            What `work` raised in its place.
        """
        if self._ended:
            return None
        result = self._results.get()
        self._room.release()
        self._ended = result is None or isinstance(result, BaseException)
        if isinstance(result, BaseException):
            raise result
        return result

    def stop(self) -> None:
        """Lets the running call of `work` end, and waits for the thread."""
        self._stopped.set()
        self._room.release()
        self._ended = True
        self._thread.join()

    def _run(self) -> None:
        try:
            if self._cores is not None:
                os.sched_setaffinity(0, self._cores)  # of this thread alone; threads started here inherit it
            while True:
                self._room.acquire()
                if self._stopped.is_set():
                    self._leave()
                    return
                result = self._work()
                self._results.put(result)
                if result is None:
                    return
        except BaseException as error:
            self._results.put(error)
