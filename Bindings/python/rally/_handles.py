"""Handles of the library and calls on them: who closes, who waits, and what Ctrl-C does."""

from __future__ import annotations

import os
import queue
import signal
import threading
import weakref
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from ._library import Library, ProgressCallback
from .errors import RallyError, Status

T = TypeVar("T")


class Closing:
    """Closes itself at the end of a `with` block."""

    def close(self) -> None:
        """Frees what it holds. A second time: nothing."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Handle:
    """Owns one handle of the library and closes it once: by `close`, when collected, or when the process ends.

    A forked child inherits the object but not the right to use it; there `address` raises and closing does nothing.
    """

    def __init__(self, library: Library, closing: str, address: int | None, noun: str) -> None:
        self._address = address
        self._noun = noun
        self._process = os.getpid()
        self.close = weakref.finalize(self, _close, getattr(library.c, closing), address, self._process)

    @property
    def address(self) -> int | None:
        """What the C functions take.

        Raises
        ------
        RallyError
            CLOSED or FORKED.
        """
        if self._process != os.getpid():
            raise RallyError(
                Status.FORKED,
                f"{self._noun}: opened by process {self._process}, before a fork; open it again in this one",
            )
        if not self.close.alive:
            raise RallyError(Status.CLOSED, f"{self._noun}: already closed; open it again")
        return self._address


def _close(function: Callable[[int | None], None], address: int | None, process: int) -> None:
    if process == os.getpid():
        function(address)


class Turn:
    """A lock that is given to those who wait for it in the order in which they came.

    Whoever lets a plain lock go and takes it again at once, as a loop of calls does, mostly gets it before those who
    have been waiting.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_taken = False
        self._gates: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return
            gate = threading.Lock()
            gate.acquire()
            self._gates.append(gate)
        try:
            gate.acquire()
        except BaseException:  # Ctrl-C while it waited
            with self._guard:
                waits = gate in self._gates
                if waits:
                    self._gates.remove(gate)
            if not waits:
                self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._gates:
                self._gates.popleft().release()
            else:
                self._is_taken = False


class Call(Generic[T]):
    """One call into the library, to be run on another thread so that the caller's thread can be interrupted.

    Python runs signal handlers between bytecodes of the main thread, so a main thread inside the library would not
    see Ctrl-C before the call has ended.

    Parameters
    ----------
    function : callable
        Makes the call. Runs while `turn` is held.
    cancel : callable
        Makes a running call return soon.
    turn : Turn
        Whose turn it is: one call at a time.
    """

    def __init__(self, function: Callable[[], T], cancel: Callable[[], Any], turn: Turn) -> None:
        self._function = function
        self._cancel = cancel
        self._turn = turn
        self._unfinished = threading.Lock()  # released at the end; an Event costs more
        self._unfinished.acquire()
        self._running = False
        self._abandoned = False
        self._value: T
        self._error: BaseException | None = None

    def run(self) -> None:
        """Makes the call; the other methods are for the other thread."""
        try:
            with self._turn:
                self._running = True
                if not self._abandoned:
                    self._value = self._function()
        except BaseException as error:
            self._error = error
        finally:
            self._running = False
            self._unfinished.release()

    def result(self) -> T:
        """Waits for the call, once; raises what it raised."""
        while not self._unfinished.acquire(timeout=0.2):  # a signal that reached another thread is handled in between
            pass
        error, self._error = self._error, None
        if error is None:
            return self._value
        try:
            raise error
        finally:
            del error  # its traceback holds this frame, and with it the model

    def abandon(self) -> None:
        """Cancels the call and waits until the library has returned. A call whose turn has not come is dropped."""
        self._abandoned = True
        # Cancelling reaches only a call that is already inside the library, hence more than once.
        while self._running:
            self._cancel()
            self._unfinished.acquire(timeout=0.01)


class _Worker:
    """The thread that makes the main thread's calls.

    It is a daemon that waits for the next call when the process ends; starting one per call takes ten times as long as
    handing the call over.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self.calls: queue.SimpleQueue[Call[Any]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="rally calls", daemon=True).start()

    def _run(self) -> None:
        while True:
            self.calls.get().run()


_worker: _Worker | None = None


def call(function: Callable[[], T], cancel: Callable[[], Any], turn: Turn) -> T:
    """Makes a call into the library when its turn has come. Ctrl-C cancels it and raises ``KeyboardInterrupt``."""
    global _worker
    on_main = threading.current_thread() is threading.main_thread()
    if not (on_main and callable(signal.getsignal(signal.SIGINT))):
        with turn:
            return function()
    if _worker is None or _worker.process != os.getpid():  # threads do not survive a fork
        _worker = _Worker()
    made = Call(function, cancel, turn)
    _worker.calls.put(made)
    try:
        return made.result()
    except BaseException:
        made.abandon()
        raise


def call_with_progress(options: Any, progress: Callable[[int, int], object] | None, function: Callable[[], T]) -> T:
    """`call` where the struct `options` has a progress callback: Ctrl-C ends the call, and so does what it raises."""
    interrupted = threading.Event()
    raised: list[BaseException] = []

    def report(user: int | None, done: int, total: int) -> int:
        try:
            if progress:
                progress(done, total)
        except BaseException as error:
            raised.append(error)
        return int(interrupted.is_set() or bool(raised))

    options.progress = ProgressCallback(report)

    def run() -> T:
        try:
            return function()
        except RallyError:
            if raised:
                raise raised[0] from None
            raise

    return call(run, interrupted.set, Turn())
