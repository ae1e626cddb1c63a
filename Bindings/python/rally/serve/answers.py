"""Answers in the form of OpenAI's interface."""

from __future__ import annotations

import secrets
import time
from typing import Any

from ..events import Event, FinishReason
from .requests import Asked

_REASONS = {
    FinishReason.STOP: "stop",
    FinishReason.LIMIT: "length",
    FinishReason.CONTEXT_FULL: "length",
    FinishReason.DEADLINE: "length",
}


class Choice:
    """One of the texts of an answer, as far as it has come."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.text = ""
        self.events: list[Event] = []
        self.count = 0
        self.finish_reason: str | None = None
        self._offset = 0  # characters of the tokens that were reported

    def take(self, event: Event, keeps: bool) -> None:
        """Adds a token; `keeps`: for the end, rather than for a stream."""
        self.count += event.token >= 0
        if event.finish_reason is not None:
            self.finish_reason = _REASONS.get(event.finish_reason)
        if keeps:
            self.text += event.text or ""
            self.events.append(event)

    def offset(self, length: int) -> int:
        """Where a token of so many characters begins."""
        self._offset += length
        return self._offset - length


class Answers:
    """The objects of one request.

    Parameters
    ----------
    asked : Asked
    model : str
        Its name in answers.
    tokens : list of bytes
        What each token stands for.
    """

    def __init__(self, asked: Asked, model: str, tokens: list[bytes]) -> None:
        self._asked = asked
        self._tokens = tokens
        kind = "chatcmpl" if asked.is_chat else "cmpl"
        self._object = "chat.completion" if asked.is_chat else "text_completion"
        self._head = {"id": f"{kind}-{secrets.token_hex(12)}", "created": int(time.time()), "model": model}

    def whole(self, choices: list[Choice]) -> dict[str, Any]:
        """The answer to a request without stream."""
        made = [self._choice(choice, choice.text, choice.events, "message") for choice in choices]
        return {**self._head, "object": self._object, "choices": made, "usage": self.usage(choices)}

    def opening(self, choice: Choice) -> dict[str, Any]:
        """A chat's first piece, which names the role."""
        delta = {"role": "assistant", "content": ""}
        return self._chunk([{"index": choice.index, "delta": delta, "logprobs": None, "finish_reason": None}])

    def piece(self, choice: Choice, event: Event) -> dict[str, Any] | None:
        """What a stream sends of a token; None: nothing."""
        if not event.text and event.finish_reason is None and self._asked.logprobs is None:
            return None
        return self._chunk([self._choice(choice, event.text or "", [event], "delta")])

    def closing(self, choices: list[Choice]) -> dict[str, Any]:
        """A stream's last piece, where it was asked for: what it took."""
        return {**self._chunk([]), "usage": self.usage(choices)}

    def usage(self, choices: list[Choice]) -> dict[str, int]:
        """Tokens; a prompt of several answers counts once."""
        per_prompt = len(self._asked.prompts) // max(1, len({id(prompt) for prompt in self._asked.prompts}))
        prompts = sum(map(len, self._asked.prompts[::per_prompt]))
        answers = sum(choice.count for choice in choices)
        return {"prompt_tokens": prompts, "completion_tokens": answers, "total_tokens": prompts + answers}

    def _chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        name = f"{self._object}.chunk" if self._asked.is_chat else self._object
        return {**self._head, "object": name, "choices": choices}

    def _choice(self, choice: Choice, text: str, events: list[Event], place: str) -> dict[str, Any]:
        logprobs = None
        if self._asked.logprobs is not None:
            seen = [event for event in events if event.token >= 0]
            logprobs = {"content": [*map(self._detail, seen)]} if self._asked.is_chat else self._columns(choice, seen)
        content: dict[str, Any] = {"text": text}
        if self._asked.is_chat:
            content = {place: {"role": "assistant", "content": text} if place == "message" else {"content": text}}
        return {"index": choice.index, **content, "logprobs": logprobs, "finish_reason": choice.finish_reason}

    def _name(self, token: int) -> str:
        """A token's text; one that is no text is written in OpenAI's form for bytes."""
        data = self._tokens[token]
        try:
            return data.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)

    def _detail(self, event: Event) -> dict[str, Any]:
        top = [self._entry(token, logprob) for token, logprob in event.top_logprobs]
        return {**self._entry(event.token, event.logprob), "top_logprobs": top}

    def _entry(self, token: int, logprob: float) -> dict[str, Any]:
        return {"token": self._name(token), "logprob": max(logprob, -9999.0), "bytes": list(self._tokens[token])}

    def _columns(self, choice: Choice, events: list[Event]) -> dict[str, Any]:
        names = [self._name(event.token) for event in events]
        tops = [{self._name(token): max(value, -9999.0) for token, value in event.top_logprobs} for event in events]
        return {
            "tokens": names,
            "token_logprobs": [max(event.logprob, -9999.0) for event in events],
            "top_logprobs": tops if self._asked.logprobs else None,
            "text_offset": [choice.offset(len(name)) for name in names],
        }
