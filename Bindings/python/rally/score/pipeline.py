"""Reading, decoding and tokenizing on a thread of their own, ahead of the rating."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Draws from `items` on a thread of its own, at most `depth` items ahead of the loop over it.

    The library releases the interpreter while it tokenizes and while it rates, so the two overlap. What `items` raises
    is raised here, after the items before it. Leaving the context ends the thread.
    """

    def __init__(self, items: Iterable[T], depth: int = 2) -> None:
        self._items = items
        self._queue: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="rally score reader", daemon=True)

    def __enter__(self) -> Iterator[T]:
        self._thread.start()
        return self._drawn()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _draw(self) -> None:
        try:
            for item in self._items:
                if not self._put(item, None):
                    return
            self._put(None, None)
        except BaseException as error:
            self._put(None, error)

    def _put(self, item: T | None, error: BaseException | None) -> bool:
        """Whether there was room before it was over."""
        while not self._is_over.is_set():
            try:
                self._queue.put((item, error), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def _drawn(self) -> Iterator[T]:
        while True:
            item, error = self._queue.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
