"""What comes of generating: tokens, one event each."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from ctypes import sizeof, string_at
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np

from . import _library


class FinishReason(StrEnum):
    """Why a text ended."""

    STOP = "stop"
    """A stop token, a stop string or the model's eos token."""
    LIMIT = "limit"
    """`max_tokens` were generated."""
    CONTEXT_FULL = "context_full"
    """The model takes no longer rows, or the engine's cache holds no more of one."""
    CANCELLED = "cancelled"
    """By a cancel method, a timeout of the whole call, an `on_logits` that raised, or the end of a stream's reader."""
    DEADLINE = "deadline"
    """The request's own time was up."""


REASONS = {
    0: None,
    1: FinishReason.STOP,
    2: FinishReason.LIMIT,
    3: FinishReason.CONTEXT_FULL,
    4: FinishReason.CANCELLED,
    5: FinishReason.DEADLINE,
}


# Not frozen: that takes six times as long to make, and an engine makes thousands per second.
@dataclass(slots=True)
class Event:
    """One generated token, or the end of a text between two: cancelled, at its deadline, or with all tokens forbidden.

    Attributes
    ----------
    request : int
        The engine's number for the request; 0 in `Model.stream`.
    index : int
        Of the token among those generated, from 0.
    token : int
        -1: none, the text ended without one.
    text : str or None
        What is certain by now, often nothing: no part of a character, and nothing that may still become a stop string.
        The texts of all events are the text. None where the model has no tokenizer.
    depth : int
        Recursions run by the token that this one was predicted from.
    logprob : float
        Of the token under the model, before penalties, temperature and cuts; natural logarithm.
    finish_reason : FinishReason or None
        None while the text goes on.
    stop_string : str or None
        The stop string that this token completed.
    top_logprobs : list of (int, float)
        The most probable tokens and their log-probabilities, most probable first, as many as `logprobs`
        asked for, fewer where `on_logits` left fewer.
    cut_length : int
        Bytes at the end of the decoded tokens that the text leaves out: the stop string, and what follows it in its
        token.
    user : object
        What `Engine.submit` was given as `user`.
    error : BaseException or None
        What the request's `on_logits` raised, where that ended the text.
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
    cut_length: int = 0
    user: Any = None
    error: BaseException | None = None


# ctypes and struct have the same letters for the same numbers.
_LETTERS = [getattr(kind, "_type_", "P") for _, kind, *_ in _library.Event._fields_]
_EVENT = struct.Struct("@" + "".join(letter if letter in "iIlLqQfd" else "P" for letter in _LETTERS))
_EVENT_SIZE = sizeof(_library.Event)
_TOP_COUNT = _library.Event.top_count.offset
_TEXT = struct.Struct("@PQ")  # its address and length
_TEXT_OFFSET = _library.Event.text.offset

EventCopy: TypeAlias = tuple[bytes, bytes, bytes, bytes]


def copied(address: int) -> EventCopy:
    """The bytes of a ``rally_event``, its text and its two arrays: all that has to happen while the library waits."""
    event = string_at(address, _EVENT_SIZE)
    start, length = _TEXT.unpack_from(event, _TEXT_OFFSET)
    text = string_at(start, length) if length else b""
    if not event[_TOP_COUNT]:  # at most 64, so its lowest byte says it all
        return event, text, b"", b""
    places, size = _library.Event.from_address(address), 4 * event[_TOP_COUNT]
    return event, text, string_at(places.top_tokens, size), string_at(places.top_logprobs, size)


def request_of(copy: EventCopy) -> int:
    """The request that an event is about."""
    return int.from_bytes(copy[0][8:16], sys.byteorder)


def parsed(copy: EventCopy, stop_strings: Sequence[str], has_text: bool) -> Event:
    """The event of a request with these stop strings."""
    data, text, tokens, logprobs = copy
    fields = _EVENT.unpack(data)
    _, request, index, token, depth, logprob, reason, stop, top_count, _, _, _, _, cut_length, *_ = fields
    top: list[tuple[int, float]] = []
    if top_count:
        pairs = np.frombuffer(tokens, np.int32).tolist(), np.frombuffer(logprobs, np.float32).tolist()
        top = list(zip(*pairs, strict=True))
    # A piece of text never ends within a character, so each can be decoded alone.
    shown = text.decode("utf-8", "replace") if has_text else None
    stop_string = stop_strings[stop] if stop >= 0 else None
    return Event(request, index, token, shown, depth, logprob, REASONS[reason], stop_string, top, cut_length)
