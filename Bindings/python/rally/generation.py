"""Continuing prompts: at once, or token by token."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from ctypes import byref
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _library
from ._handles import Call
from .errors import RallyError, Status
from .rows import Rows, choice, integer
from .tokenizer import TextStream

if TYPE_CHECKING:
    from .model import Model

Prompt: TypeAlias = "str | bytes | Sequence[int] | npt.NDArray[np.integer[Any]]"


class FinishReason(StrEnum):
    """Why a text ended."""

    STOP = "stop"
    """A stop token or the model's eos token; it is the last token."""
    LIMIT = "limit"
    """`max_tokens` were generated."""
    CONTEXT_FULL = "context_full"
    """The model takes no longer rows."""
    CANCELLED = "cancelled"
    """By `Model.cancel`, a timeout, or the end of a stream's reader."""


_REASONS = {
    0: None,
    1: FinishReason.STOP,
    2: FinishReason.LIMIT,
    3: FinishReason.CONTEXT_FULL,
    4: FinishReason.CANCELLED,
}


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """The continuation of one prompt of P tokens by n tokens.

    Attributes
    ----------
    tokens : list of int
        The n generated tokens.
    text : str or None
        Their text; None where the model has no tokenizer.
    depth : ndarray, shape [n], int32
        Recursions run by the token that each was predicted from.
    logprobs : ndarray, shape [n], float32
        Of each token under the model, before temperature and cuts; natural logarithm.
    finish_reason : FinishReason
        Compares equal to "stop", "limit", "context_full" or "cancelled".
    prompt_depth : ndarray, shape [P], int32
        Recursions that each prompt token ran.
    """

    tokens: list[int]
    text: str | None
    depth: npt.NDArray[np.int32]
    logprobs: npt.NDArray[np.float32]
    finish_reason: FinishReason
    prompt_depth: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """One token of a stream.

    Attributes
    ----------
    token : int
        -1: none, the stream was cancelled between two tokens.
    text : str or None
        What became complete with this token, often nothing; None where the model has no tokenizer.
    depth : int
        Recursions run by the token that this one was predicted from.
    logprob : float
        Of the token under the model, before temperature and cuts; natural logarithm.
    index : int
        Of the token among those generated, from 0.
    finish_reason : FinishReason or None
        None while the text goes on.
    """

    token: int
    text: str | None
    depth: int
    logprob: float
    index: int
    finish_reason: FinishReason | None


@dataclass(frozen=True, slots=True)
class Sampling:
    """The arguments that `Model.generate` and `Model.stream` share; documented there."""

    max_tokens: int | None
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    seed: int | Sequence[int]
    stop: int | Sequence[int]
    stop_at_eos: bool | None
    max_depth: int | None


def is_one_prompt(prompt: Any) -> bool:
    """Whether this is a prompt rather than a list of them."""
    if isinstance(prompt, (str, bytes)):
        return True
    if isinstance(prompt, Rows):
        return False
    return len(prompt) > 0 and (not hasattr(prompt[0], "__len__") or getattr(prompt[0], "ndim", 1) == 0)


class Requests:
    """`rally_request` structs for a batch of prompts, and the memory they point to."""

    def __init__(self, model: Model, prompts: Rows, sampling: Sampling) -> None:
        count = len(prompts)
        self.prompts = prompts
        self.stop = Rows.pack([np.atleast_1d(np.asarray(sampling.stop))]).tokens
        seeds = list(sampling.seed) if isinstance(sampling.seed, Iterable) else [sampling.seed] * count
        if len(seeds) != count:
            raise RallyError(Status.INVALID_ARGUMENT, f"seed: expected one, or {count} of them, found {len(seeds)}")

        # A context of C holds a prompt of P and C - P tokens, and one more is predicted from the last of them. Asking
        # for one beyond that is asking for all; there is nothing to make room for.
        shortest = int(prompts.lengths.min()) if count else 1
        room = max(model.info.max_position_embeddings - shortest, 0) + 2
        limit = integer("max_tokens", sampling.max_tokens or 0, 0, 2**63 - 1)
        self.stride = min(limit or room, room)

        self.structs = (_library.Request * max(count, 1))()
        for index in range(count):
            request = model._library.new("rally_request")
            start, stop = int(prompts.offsets[index]), int(prompts.offsets[index + 1])
            request.tokens, request.token_count = prompts.tokens[start:].ctypes.data, stop - start
            request.max_tokens = self.stride
            request.temperature = sampling.temperature
            request.top_k = integer("top_k", sampling.top_k, -(2**31), 2**31 - 1)
            request.top_p, request.min_p = sampling.top_p, sampling.min_p
            request.seed = integer("seed", seeds[index], 0, 2**64 - 1)
            request.stop_tokens, request.stop_token_count = self.stop.ctypes.data, self.stop.size
            request.stop_at_eos = choice("stop_at_eos", sampling.stop_at_eos, _library.SWITCHES)
            request.max_depth = integer("max_depth", sampling.max_depth or 0, 0, 2**32 - 1)
            self.structs[index] = request


def generate(model: Model, prompts: Rows, sampling: Sampling, timeout: float | None) -> list[Generation]:
    """Continues all prompts together until each has finished."""
    requests = Requests(model, prompts, sampling)
    count, stride = len(prompts), requests.stride
    tokens = np.empty((count, stride), np.int32)
    depths = np.empty((count, stride), np.int32)
    logprobs = np.empty((count, stride), np.float32)
    token_counts = np.zeros(count, np.uintp)
    finish_reasons = np.zeros(count, np.intc)
    prompt_depths = np.empty(prompts.tokens.size, np.int32)

    places = model._library.new("rally_generation")
    places.stride = stride
    places.tokens = tokens.ctypes.data
    places.depths = depths.ctypes.data
    places.logprobs = logprobs.ctypes.data
    places.token_counts = token_counts.ctypes.data
    places.finish_reasons = finish_reasons.ctypes.data
    places.prompt_depths = prompt_depths.ctypes.data
    places.timeout_seconds = timeout or 0.0
    silent = _library.EventCallback(0)
    buffers = (tokens, depths, logprobs, token_counts, finish_reasons, prompt_depths)

    def run(keep: Any = buffers) -> None:  # what `places` points to, alive as long as the call
        model._library.call("rally_generate", model._runner(), requests.structs, count, silent, None, byref(places))

    model._compute(run)
    results = []
    for index, length in enumerate(map(int, token_counts)):
        generated = tokens[index, :length].tolist()
        start, stop = int(prompts.offsets[index]), int(prompts.offsets[index + 1])
        results.append(
            Generation(
                tokens=generated,
                text=model.decode(generated) if model.info.has_tokenizer else None,
                depth=depths[index, :length].copy(),
                logprobs=logprobs[index, :length].copy(),
                finish_reason=_REASONS[int(finish_reasons[index])] or FinishReason.CANCELLED,
                prompt_depth=prompt_depths[start:stop].copy(),
            )
        )
    return results


def stream(model: Model, prompt: Rows, sampling: Sampling, skip_special: bool) -> Iterator[TokenEvent]:
    """Continues one prompt; checks the arguments now and computes from the first `next` on."""
    requests = Requests(model, prompt, sampling)
    library, address = model._library, model._handle.address
    text = TextStream(library, address, skip_special) if model.info.has_tokenizer else None
    return _events(model, requests, text)


def _events(model: Model, requests: Requests, text: TextStream | None) -> Iterator[TokenEvent]:
    events: queue.SimpleQueue[tuple[int, int, float, int, int] | None] = queue.SimpleQueue()
    reader_left = threading.Event()

    def on_token(user: Any, pointer: Any) -> int:
        event = pointer.contents
        events.put((event.token, event.depth, event.logprob, event.index, event.finish_reason))
        return 2 if reader_left.is_set() or not threading.main_thread().is_alive() else 0

    callback = _library.EventCallback(on_token)

    def run() -> None:
        try:
            model._library.call("rally_generate", model._runner(), requests.structs, 1, callback, None, None)
        finally:
            events.put(None)

    call = Call(run, model.cancel, model._turn)
    threading.Thread(target=call.run, name="rally stream").start()
    try:
        while (event := events.get()) is not None:
            token, depth, logprob, index, reason = event
            piece = None
            if text is not None:
                piece = text.push(token) if token >= 0 else ""
                piece += text.finish() if reason else ""
            yield TokenEvent(token, piece, depth, logprob, index, _REASONS[reason])
        call.result()
    finally:
        reader_left.set()
        call.abandon()
        if text is not None:
            text.close()
