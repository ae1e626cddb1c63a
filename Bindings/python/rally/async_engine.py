"""The engine for asyncio: requests as asynchronous iterators."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, Unpack

from .engine import Engine
from .engine_options import EngineOptions
from .errors import RallyError, Status
from .events import Event
from .model import Model
from .sampling import Prompt, RequestOptions


class AsyncEvents:
    """The events of one request: ``async for event in engine.generate(...)``.

    A request whose reader is cancelled, or lets go of this object, is cancelled too. What its `on_logits` raises is
    raised here.

    Attributes
    ----------
    request : int
        The engine's number for it.
    """

    def __init__(self, engine: Engine, request: int) -> None:
        self.request = request
        self._queue: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self._has_ended = False
        self._cancel = weakref.finalize(self, engine.cancel, request)
        self._cancel.atexit = False

    def __aiter__(self) -> AsyncEvents:
        return self

    async def __anext__(self) -> Event:
        if self._has_ended:
            raise StopAsyncIteration
        try:
            event = await self._queue.get()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if isinstance(event, Exception):
            self._has_ended = True
            raise event
        self._has_ended = event.finish_reason is not None
        if event.error is not None:
            raise event.error
        return event

    def cancel(self) -> None:
        """Ends the request at the next step; its last event says "cancelled"."""
        self._cancel()

    async def aclose(self) -> None:
        """Cancels the request and ends the iteration: for ``contextlib.aclosing``."""
        self.cancel()
        self._has_ended = True


class AsyncEngine:
    """An `Engine` for the tasks of one event loop.

    Its steps run on a thread of their own, one after the other, as long as requests are left; the loop is never
    blocked. Any number of tasks may generate at the same time.

    Parameters
    ----------
    model : Model, str or path
        A language model. One that is opened here, from a path, is closed with the engine.
    **options
        `EngineOptions`.

    Raises
    ------
    RallyError
        As `Engine`.
    """

    def __init__(self, model: Model | str | os.PathLike[str], **options: Unpack[EngineOptions]) -> None:
        self._engine = Engine(model, **options)
        self._executor = ThreadPoolExecutor(1, "rally engine")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers: weakref.WeakValueDictionary[int, AsyncEvents] = weakref.WeakValueDictionary()
        self._is_closing = False
        self._is_driving = False
        self._driving = threading.Lock()  # guards the flag: whoever submits sees the driver, or starts one

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<rally.AsyncEngine of {self._engine.model._name}>"

    @property
    def model(self) -> Model:
        """The model that it computes with."""
        return self._engine.model

    def generate(self, prompt: Prompt, max_tokens: int | None = None, **how: Unpack[RequestOptions]) -> AsyncEvents:
        """Puts a request into the queue at once; all parameters and errors are those of `Engine.submit`.

        Returns
        -------
        AsyncEvents
            An asynchronous iterator over the request's events.
        """
        loop = self._own_loop()
        request = self._engine.submit(prompt, max_tokens, **how)
        reader = self._readers[request] = AsyncEvents(self._engine, request)
        with self._driving:
            if not self._is_driving:
                self._is_driving = True
                self._executor.submit(self._drive, loop)
        return reader

    def cancel_all(self) -> None:
        """Ends all requests at the next step."""
        self._engine.cancel_all()

    async def counters(self) -> dict[str, float]:
        """See `Engine.counters`."""
        return await asyncio.to_thread(lambda: self._engine.counters)

    async def save(self, request: int) -> bytes:
        """See `Engine.save`."""
        return await asyncio.to_thread(self._engine.save, request)

    async def aclose(self) -> None:
        """Cancels all requests, waits for the step in progress and frees everything. A second time: nothing."""
        self._is_closing = True
        self._engine.cancel_all()
        try:
            # The one thread does this when it has brought the last events.
            await asyncio.get_running_loop().run_in_executor(self._executor, lambda: None)
        except RuntimeError:  # shut down before
            return
        finally:
            self._executor.shutdown(wait=False)
            self._engine.close()

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        if self._is_closing:
            raise RallyError(Status.CLOSED, "engine: already closed; open it again")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise RuntimeError("an AsyncEngine belongs to the event loop that first used it; open one for each loop")
        return loop

    # On the thread of the steps

    def _drive(self, loop: asyncio.AbstractEventLoop) -> None:
        """Steps until no request is left."""
        while True:
            try:
                events: list[Event] | Exception = self._engine.step()
            except Exception as error:
                events = error
            try:
                if events:
                    loop.call_soon_threadsafe(self._deliver, events)
            except RuntimeError:  # the loop was closed: nothing reads any more
                self._engine.cancel_all()
            with self._driving:
                if isinstance(events, Exception) or not self._engine.busy:
                    self._is_driving = False
                    return

    # On the event loop

    def _deliver(self, events: list[Event] | Exception) -> None:
        if isinstance(events, Exception):
            self._engine.cancel_all()
            for waiting in self._readers.values():
                waiting._queue.put_nowait(events)
            return
        for event in events:
            if (reader := self._readers.get(event.request)) is not None:
                reader._queue.put_nowait(event)
