"""Continuous batching: requests that come and go at any time, computed together."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import byref, c_size_t, c_uint64
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import numpy.typing as npt

from . import _handles, _library
from ._handles import Closing, Handle, Turn
from .engine_options import EngineOptions, raw_options
from .errors import RallyError, Status
from .events import Event, EventCopy, copied, parsed, request_of
from .logits import Rules
from .model import Model
from .rows import check_names, integer
from .sampling import Prompt, RequestOptions, RequestTemplate, Sampling


@dataclass(slots=True)
class _Unfinished:
    """What the events of a request need, and its memory that the library calls back into."""

    template: RequestTemplate
    user: Any
    key: int  # the request's `user` in C


class Engine(Closing):
    """Continues any number of texts together, which come and go at every step.

    A step runs the model's block once for the tokens of all requests, each at its own recursion. What a request
    generates is the same bits whatever else runs, and the same as `Model.generate` gives.

    `submit`, `cancel` and `cancel_all` may be called at any time from any thread; calls of the other methods take
    turns. An engine has worker threads and memory of its own, alongside those of the model's own calls.

    Parameters
    ----------
    model : Model, str or path
        A language model. One that is opened here, from a path, is closed with the engine; another may be closed before
        it, and only texts can no longer be encoded then.
    **options
        `EngineOptions`.

    Raises
    ------
    RallyError
        WRONG_KIND: a rater. LIMIT_EXCEEDED: `cache_bytes` is too small. OUT_OF_MEMORY. What `Model` raises.

    See Also
    --------
    AsyncEngine : for asyncio.
    Model.generate, Model.stream : for a batch, or one text, without an engine.
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        **options: Unpack[EngineOptions],
    ) -> None:
        self._owns_model = not isinstance(model, Model)
        self._model = model if isinstance(model, Model) else Model(model)
        self._library = self._model._library
        self._has_tokenizer = self._model.info.has_tokenizer  # its events come also when the model was closed
        raw = raw_options(self._library, options)
        engine = _library.Handle()
        self._library.call("rally_engine_open", self._model._handle.address, byref(raw), byref(engine))
        self._handle = Handle(self._library, "rally_engine_close", engine.value, f"engine of {self._model._name}")

        self._turn = Turn()
        self._unfinished: dict[int, _Unfinished] = {}
        self._rules = Rules()
        self._keys = itertools.count(1)
        self._registering = threading.Lock()  # no request is looked for between its number and its entry above
        self._copies: list[EventCopy] = []
        self._events: deque[Event] = deque()  # reported and not yet given out
        copies = self._copies

        def on_event(user: int | None, address: int) -> int:
            copies.append(copied(address))
            return 0

        self._callback = _library.EventCallback(on_event)
        names = self._library.c.rally_engine_counter_name
        count = self._library.c.rally_engine_counter_count(engine)
        self._counter_names = [names(engine, index).decode() for index in range(count)]

    @staticmethod
    def memory(model: Model, **options: Unpack[EngineOptions]) -> int:
        """The bytes that an engine with these options takes when it is opened, besides the model's own weights."""
        raw = raw_options(model._library, options)
        count = c_uint64()
        model._library.call("rally_engine_memory", model._handle.address, byref(raw), byref(count))
        return count.value

    def close(self) -> None:
        """Waits for the step in progress and frees everything; unfinished requests end without an event."""
        self._handle.close()
        self._unfinished.clear()
        if self._owns_model:
            self._model.close()

    def __repr__(self) -> str:
        return f"<rally.Engine of {self._model._name}: {len(self._unfinished)} unfinished>"

    @property
    def model(self) -> Model:
        """The model that it computes with."""
        return self._model

    # Requests

    def submit(self, prompt: Prompt, max_tokens: int | None = None, **how: Unpack[RequestOptions]) -> int:
        """Puts a request into the queue.

        Parameters
        ----------
        prompt : str, bytes or sequence of int
        max_tokens : int, optional
            Tokens to generate; None or 0: until the context or the cache is full.
        **how
            `RequestOptions`: seed, priority, timeout, user; temperature, cuts, stops, penalties, log-probabilities, depths.

        Returns
        -------
        int
            Its number in events: 0, 1, 2, …

        Raises
        ------
        RallyError
            What is wrong with the request; LIMIT_EXCEEDED: the cache cannot hold prompt and `max_tokens`. QUEUE_FULL:
            `max_sequences` and `max_queue` requests are unfinished; submit again later.
        """
        tokens = self._model._rows([prompt]).tokens
        with self._request(tokens, max_tokens, how) as (entry, request):
            return self._registered(entry, request, "rally_engine_submit", byref(request))

    def cancel(self, request: int) -> None:
        """Ends a request at the next step, whose event says "cancelled". Unknown or finished: nothing."""
        if self._handle.close.alive:
            self._library.c.rally_engine_cancel(self._handle.address, request)

    def cancel_all(self) -> None:
        """Ends all requests at the next step."""
        if self._handle.close.alive:
            self._library.c.rally_engine_cancel_all(self._handle.address)

    @property
    def busy(self) -> bool:
        """Whether a request is unfinished, or an event was not yet given out."""
        return bool(self._unfinished or self._events)

    # Steps

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until there is something to do: an unfinished request, or an event that was not yet given out.

        For a thread that steps while others submit.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait; None: for ever.

        Returns
        -------
        bool
            False when the time went by without work.

        Raises
        ------
        RallyError
            CLOSED: the engine was closed meanwhile.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self._events:
            # In slices, so that Ctrl-C is seen.
            rest = 0.2 if end is None else min(0.2, max(0.0, end - time.monotonic()))
            try:
                self._library.call("rally_engine_wait", self._handle.address, rest)
                break
            except RallyError as error:
                if error.code != Status.DEADLINE_EXCEEDED:
                    raise
            if end is not None and time.monotonic() >= end:
                return False
        return True

    def step(self) -> list[Event]:
        """Makes one step.

        Returns
        -------
        list of Event
            The tokens that it brought, at most one per request, and the ends of requests; often none while prompts
            are computed. Before them whatever a loop over the engine that was left has not given out.

        Raises
        ------
        RallyError
            OUT_OF_MEMORY: nothing is lost, the next step starts the requests again from their tokens.
        """
        self._step()
        return list(self._taken())

    def __iter__(self) -> Iterator[Event]:
        """Steps, and gives out the events, until no request is left. Others may submit and cancel meanwhile."""
        while self.busy:
            if not self._events:
                self._step()
            yield from self._taken()

    def run(self) -> list[Event]:
        """All events until no request is left."""
        return list(self)

    # What it holds

    @property
    def counters(self) -> dict[str, float]:
        """What the engine did and holds, by names such as "passes_total" or "blocks_used"; `_total` only grows."""
        values = np.empty(len(self._counter_names), np.float64)
        address = self._handle.address
        with self._turn:
            self._library.call("rally_engine_counters", address, values.ctypes.data, values.size)
        return dict(zip(self._counter_names, values.tolist(), strict=True))

    def save(self, request: int) -> bytes:
        """What an unfinished request has computed, with its tokens; the request goes on.

        Raises
        ------
        RallyError
            INVALID_ARGUMENT: no step has seen it yet, or it has finished.
        """
        address, number, size = self._handle.address, integer("request", request, 0, 2**63 - 1), c_size_t()
        with self._turn:
            self._library.call("rally_engine_save", address, number, None, 0, byref(size))
            data = np.empty(size.value, np.uint8)
            self._library.call("rally_engine_save", address, number, data.ctypes.data, data.size, byref(size))
        return data.tobytes()

    def restore(self, data: bytes, max_tokens: int | None = None, **how: Unpack[RequestOptions]) -> int:
        """Continues a saved request, here or in another engine on the same model, as if it had never been interrupted.

        Parameters
        ----------
        data : bytes
            From `save`.
        max_tokens : int, optional
            Tokens to generate, with those that were generated before.
        **how
            As in `submit`. The depths must be those of before, all else may change.

        Returns
        -------
        int
            Its number in events. They count on from where it was, and so do their texts.

        Raises
        ------
        RallyError
            CORRUPT_FILE, UNSUPPORTED_VERSION; WRONG_MODEL: another model, type or depth budget; LIMIT_EXCEEDED: the
            place that it needs is not free now, step and try again.
        """
        array = np.frombuffer(data, np.uint8)
        _ = self._handle.address
        with self._request(np.empty(0, np.int32), max_tokens, how) as (entry, request), self._turn:
            place = array.ctypes.data, array.size
            return self._registered(entry, request, "rally_engine_restore", *place, byref(request))

    # How the methods above call the library

    @contextmanager
    def _request(
        self, tokens: npt.NDArray[np.int32], max_tokens: int | None, how: RequestOptions
    ) -> Iterator[tuple[_Unfinished, Any]]:
        """What belongs to a request, and its struct; let go of again where it is refused."""
        check_names(how, RequestOptions)
        sampling: Any = {name: value for name, value in how.items() if name in Sampling.__annotations__}
        user = how.get("user")
        with self._registering:
            template = RequestTemplate(self._library, sampling, how.get("skip_special", False), self._rules)
            entry = _Unfinished(template, user, next(self._keys))
            self._rules.users[entry.key] = user  # `on_logits` may see it before this thread knows the number
        try:
            limit = integer("max_tokens", max_tokens or 0, 0, 2**63 - 1)
            seed, priority = how.get("seed", 0), how.get("priority", 0)
            yield entry, template.request(tokens, limit, seed, priority, how.get("timeout"))
        except BaseException:
            with self._registering:
                self._let_go(entry)
            raise

    def _let_go(self, entry: _Unfinished) -> None:
        self._rules.users.pop(entry.key, None)
        if entry.template.rule is not None:
            self._rules.release(entry.template.rule)

    def _registered(self, entry: _Unfinished, request: Any, function: str, *arguments: Any) -> int:
        """Calls a function that gives a request its number, and files what its events will need under it."""
        address, number = self._handle.address, c_size_t()
        request.user = entry.key
        with self._registering:
            self._library.call(function, address, *arguments, byref(number))
            self._unfinished[number.value] = entry
        return number.value

    def _step(self) -> None:
        _ = self._handle.address  # a forked child must not wait for a lock that a thread of its parent held
        # A step is short, so Ctrl-C waits for its end; no event is lost.
        _handles.call(self._advance, lambda: None, self._turn)

    def _taken(self) -> Iterator[Event]:
        """The events that were not given out; of threads that ask at the same time each gets others."""
        while True:
            try:
                event = self._events.popleft()
            except IndexError:
                return
            yield event

    def _advance(self) -> None:
        """One step, and its events into `_events`. Called in turn."""
        try:
            self._library.call("rally_engine_step", self._handle.address, self._callback, None, None)
        finally:
            with self._registering:
                for copy in self._copies:
                    self._take(copy)
                self._copies.clear()

    def _take(self, copy: EventCopy) -> None:
        entry = self._unfinished.get(request_of(copy))
        if entry is None:  # closed meanwhile
            return
        event = parsed(copy, entry.template.stop_strings, self._has_tokenizer)
        event.user = entry.user
        if event.finish_reason is not None and entry.template.rule is not None:
            event.error = entry.template.rule.errors.pop(event.request, None)
        self._events.append(event)  # before its request goes: at any time one of the two makes it `busy`
        if event.finish_reason is not None:
            self._unfinished.pop(event.request, None)
            self._let_go(entry)
