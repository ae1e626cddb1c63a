"""What comes of generating: tokens, one event each."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from ctypes import sizeof, string_at
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np

from . import _library
from .tokenizer import TextStream


class FinishReason(StrEnum):
    """Why a text ended."""

    STOP = "stop"
    """A stop token, a stop string or the model's eos token."""
    LIMIT = "limit"
    """`max_tokens` were generated."""
    CONTEXT_FULL = "context_full"
    """The model takes no longer rows, or the engine's cache holds no more of one."""
    CANCELLED = "cancelled"
    """By a cancel method, a timeout, or the end of a stream's reader."""


REASONS = {
    0: None,
    1: FinishReason.STOP,
    2: FinishReason.LIMIT,
    3: FinishReason.CONTEXT_FULL,
    4: FinishReason.CANCELLED,
}


# Not frozen: that takes six times as long to make, and an engine makes thousands per second.
@dataclass(slots=True)
class Event:
    """One generated token, or the end of a text that was cancelled between two.

    Attributes
    ----------
    request : int
        The engine's number for the request; 0 in `Model.stream`.
    index : int
        Of the token among those generated, from 0.
    token : int
        -1: none, the text was cancelled.
    text : str or None
        What became complete with this token, often nothing; None where the model has no tokenizer.
    depth : int
        Recursions run by the token that this one was predicted from.
    logprob : float
        Of the token under the model, before penalties, temperature and cuts; natural logarithm.
    finish_reason : FinishReason or None
        None while the text goes on.
    stop_string : str or None
        The stop string that this token completed.
    top_logprobs : list of (int, float)
        The most probable tokens and their log-probabilities, most probable first, as many as `logprobs` asked for.
    """

    request: int
    index: int
    token: int
    text: str | None
    depth: int
    logprob: float
    finish_reason: FinishReason | None
    stop_string: str | None = None
    top_logprobs: list[tuple[int, float]] = field(default_factory=list)


# ctypes and struct have the same letters for the same types, but for pointers.
_EVENT = struct.Struct("@" + "".join(getattr(kind, "_type_", "P") for _, kind, *_ in _library.Event._fields_))
_EVENT_SIZE = sizeof(_library.Event)
_TOP_COUNT = _library.Event.top_count.offset

EventCopy: TypeAlias = tuple[bytes, bytes, bytes]


def copied(address: int) -> EventCopy:
    """The bytes of a ``rally_event`` and of its two arrays: all that has to happen while the library waits."""
    event = string_at(address, _EVENT_SIZE)
    if not event[_TOP_COUNT]:  # at most 64, so its lowest byte says it all
        return event, b"", b""
    places, size = _library.Event.from_address(address), 4 * event[_TOP_COUNT]
    return event, string_at(places.top_tokens, size), string_at(places.top_logprobs, size)


def parsed(copy: EventCopy) -> tuple[Event, int]:
    """The event, without its texts, and the index of its stop string."""
    data, tokens, logprobs = copy
    _, request, index, token, depth, logprob, reason, stop_string, top_count, _, _ = _EVENT.unpack(data)
    top: list[tuple[int, float]] = []
    if top_count:
        pairs = np.frombuffer(tokens, np.int32).tolist(), np.frombuffer(logprobs, np.float32).tolist()
        top = list(zip(*pairs, strict=True))
    return Event(request, index, token, None, depth, logprob, REASONS[reason], None, top), stop_string


def add_texts(event: Event, stop_string: int, stream: TextStream | None, stop_strings: Sequence[str]) -> None:
    """Completes an event with what its token adds to the text, and the stop string at this index."""
    if stream is not None:
        event.text = stream.push(event.token) if event.token >= 0 else ""
        if event.finish_reason is not None:
            event.text += stream.finish()
    if stop_string >= 0:
        event.stop_string = stop_strings[stop_string]
