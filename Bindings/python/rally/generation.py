"""Continuing prompts with a model: at once, or token by token."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from ctypes import byref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from . import _library
from ._handles import Call
from .errors import RallyError, Status
from .events import REASONS, Event, EventCopy, FinishReason, copied, parsed
from .rows import Rows, integer
from .sampling import RequestTemplate, Sampling

if TYPE_CHECKING:
    from ._text_model import TextModel


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """The continuation of one prompt of P tokens by n tokens.

    Attributes
    ----------
    tokens : list of int
        The n generated tokens.
    text : str or None
        Their text, without the stop string that ended it; None where the model has no tokenizer.
    depth : ndarray, shape [n], int32
        Recursions run by the token that each was predicted from.
    logprobs : ndarray, shape [n], float32
        Of each token under the model, before penalties, temperature and cuts; natural logarithm.
    finish_reason : FinishReason
        Compares equal to "stop", "limit", "context_full" or "cancelled".
    prompt_depth : ndarray, shape [P], int32
        Recursions that each prompt token ran; 0 where the text ended before.
    stop_string : str or None
        The stop string that ended the text.
    top_logprobs : list of n lists of (int, float)
        For each token the most probable ones and their log-probabilities, as many as `logprobs` asked for, fewer where
        `on_logits` left fewer.
    cut_length : int
        Bytes at the end of the decoded tokens that the text leaves out: the stop string, and what follows it in its
        token.
    """

    tokens: list[int]
    text: str | None
    depth: npt.NDArray[np.int32]
    logprobs: npt.NDArray[np.float32]
    finish_reason: FinishReason
    prompt_depth: npt.NDArray[np.int32]
    stop_string: str | None = None
    top_logprobs: list[list[tuple[int, float]]] = field(default_factory=list)
    cut_length: int = 0


def is_one_prompt(prompt: Any) -> bool:
    """Whether this is a prompt rather than a list of them."""
    if isinstance(prompt, (str, bytes)):
        return True
    if isinstance(prompt, Rows):
        return False
    return len(prompt) > 0 and (not hasattr(prompt[0], "__len__") or getattr(prompt[0], "ndim", 1) == 0)


class Requests:
    """`rally_request` structs for a batch of prompts, and the memory they point to."""

    def __init__(
        self,
        model: TextModel,
        prompts: Rows,
        max_tokens: int | None,
        seed: int | Sequence[int],
        skip_special: bool,
        how: Sampling,
    ) -> None:
        count = len(prompts)
        self.prompts = prompts
        self.skip_special = skip_special
        self.template = RequestTemplate(model._library, how, skip_special)
        seeds = list(seed) if isinstance(seed, Iterable) else [seed] * count
        if len(seeds) != count:
            raise RallyError(Status.INVALID_ARGUMENT, f"seed: expected one, or {count} of them, found {len(seeds)}")

        # A context of C holds a prompt of P and C - P tokens, and one more is predicted from the last of them. Asking
        # for one beyond that is asking for all; there is nothing to make room for.
        shortest = int(prompts.lengths.min()) if count else 1
        room = max(model.info.max_position_embeddings - shortest, 0) + 2
        limit = integer("max_tokens", max_tokens or 0, 0, 2**63 - 1)
        self.stride = min(limit or room, room)

        self.structs = (_library.Request * max(count, 1))()
        for index in range(count):
            row = prompts.tokens[int(prompts.offsets[index]) : int(prompts.offsets[index + 1])]
            self.structs[index] = self.template.request(row, self.stride, seeds[index])


def generate(model: TextModel, requests: Requests, timeout: float | None) -> list[Generation]:
    """Continues all prompts together until each has finished."""
    prompts, template = requests.prompts, requests.template
    count, stride = len(prompts), requests.stride
    tokens = np.empty((count, stride), np.int32)
    depths = np.empty((count, stride), np.int32)
    logprobs = np.empty((count, stride), np.float32)
    token_counts = np.zeros(count, np.uintp)
    finish_reasons = np.zeros(count, np.intc)
    prompt_depths = np.zeros(prompts.tokens.size, np.int32)
    stops = np.full(count, -1, np.int32)
    cuts = np.zeros(count, np.uintp)

    places = model._library.new("rally_generation")
    places.stride = stride
    places.tokens = tokens.ctypes.data
    places.depths = depths.ctypes.data
    places.logprobs = logprobs.ctypes.data
    places.token_counts = token_counts.ctypes.data
    places.finish_reasons = finish_reasons.ctypes.data
    places.prompt_depths = prompt_depths.ctypes.data
    places.stop_strings = stops.ctypes.data
    places.cut_lengths = cuts.ctypes.data
    places.timeout_seconds = timeout or 0.0
    copies: list[EventCopy] = []
    callback = _library.EventCallback(0)
    if template.top_count:  # the one thing that the arrays have no place for

        def on_event(user: int | None, address: int) -> int:
            copies.append(copied(address))
            return 0

        callback = _library.EventCallback(on_event)
    buffers = (tokens, depths, logprobs, token_counts, finish_reasons, prompt_depths, stops, cuts)

    def run(keep: Any = buffers) -> None:  # what `places` points to, alive as long as the call
        model._library.call("rally_generate", model._runner(), requests.structs, count, callback, None, byref(places))

    model._compute(run)
    if template.rule is not None and template.rule.errors:
        raise next(iter(template.rule.errors.values()))
    tops: list[list[list[tuple[int, float]]]] = [[] for _ in range(count)]
    for copy in copies:
        event = parsed(copy, template.stop_strings, False)
        if event.top_logprobs:
            tops[event.request].append(event.top_logprobs)
    results = []
    for index, length in enumerate(map(int, token_counts)):
        generated = tokens[index, :length].tolist()
        start, stop = int(prompts.offsets[index]), int(prompts.offsets[index + 1])
        results.append(
            Generation(
                tokens=generated,
                text=_text(model, generated, requests.skip_special, int(cuts[index])),
                depth=depths[index, :length].copy(),
                logprobs=logprobs[index, :length].copy(),
                finish_reason=REASONS[int(finish_reasons[index])] or FinishReason.CANCELLED,
                prompt_depth=prompt_depths[start:stop].copy(),
                stop_string=template.stop_strings[stops[index]] if stops[index] >= 0 else None,
                top_logprobs=tops[index],
                cut_length=int(cuts[index]),
            )
        )
    return results


def _text(model: TextModel, tokens: list[int], skip_special: bool, cut_length: int) -> str | None:
    if not model.info.has_tokenizer:
        return None
    text = model.decode_bytes(tokens, skip_special)
    return text[: len(text) - cut_length].decode("utf-8", "replace")


def stream(model: TextModel, requests: Requests) -> Iterator[Event]:
    """Continues one prompt; its arguments are checked by now, and it computes from the first `next` on."""
    _ = model._handle.address
    return _events(model, requests)


def _events(model: TextModel, requests: Requests) -> Iterator[Event]:
    events: queue.SimpleQueue[EventCopy | None] = queue.SimpleQueue()
    reader_left = threading.Event()

    def on_token(user: int | None, address: int) -> int:
        events.put(copied(address))
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
        while (copy := events.get()) is not None:
            yield parsed(copy, requests.template.stop_strings, model.info.has_tokenizer)
        call.result()
        if (rule := requests.template.rule) is not None and rule.errors:
            raise next(iter(rule.errors.values()))
    finally:
        reader_left.set()
        call.abandon()
