"""The fields of a request's JSON object: each is read, or refused by its name."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from .errors import ApiError, wrong

# What is recorded or charged elsewhere, and changes no answer here.
_WITHOUT_EFFECT = {
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "user",
}
# Fields of OpenAI's interface that this server does not have, with the values that ask for nothing.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "echo": (False,),
    "function_call": ("none",),
    "functions": ([],),
    "modalities": (["text"],),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
}


class Fields:
    """What is left to read of a request.

    Parameters
    ----------
    body : bytes
        The request's body.

    Raises
    ------
    ApiError
        400: it is no JSON object.
    """

    def __init__(self, body: bytes) -> None:
        try:
            values = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ApiError(400, f"the body is no JSON: {str(error)[:200]}") from None
        if not isinstance(values, dict):
            raise ApiError(400, "the body: expected a JSON object")
        self._values = {name: value for name, value in values.items() if value is not None}

    def take(self, name: str, default: Any = None) -> Any:
        """A field as it is; `default` where it is absent or null."""
        return self._values.pop(name, default)

    def switch(self, name: str) -> bool:
        """true or false; absent: false."""
        if not isinstance(value := self.take(name, False), bool):
            raise wrong(name, "true or false", value)
        return value

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int | None:
        """A whole number within bounds."""
        value = self.take(name, default)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high):
            raise wrong(name, f"a whole number in [{low}, {high}]", value)
        return value

    def number(self, name: str, low: float, high: float) -> float | None:
        """A number within bounds."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise wrong(name, f"a number in [{low:g}, {high:g}]", value)
        return float(value)

    def strings(self, name: str, most: int) -> list[str]:
        """A text or a list of texts; absent: none."""
        value = self.take(name, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found) or len(found) > most:
            raise wrong(name, f"a text or at most {most} of them", value)
        return [readable(name, item) for item in found]

    def biases(self, name: str) -> dict[int, float]:
        """An object from tokens to numbers."""
        value = self.take(name, {})
        try:
            biases = {int(token): float(bias) for token, bias in value.items()}
        except (AttributeError, TypeError, ValueError, OverflowError):
            biases = {-1: math.nan}
        if not all(token >= 0 and abs(bias) <= 1e6 for token, bias in biases.items()):
            raise wrong(name, "an object from token ids to numbers", value)
        return biases

    def end(self) -> None:
        """Refuses, by name, what no one has read and what would change the answer."""
        for name, value in self._values.items():
            if name in _WITHOUT_EFFECT or any(
                value is neutral or value == neutral for neutral in _NEUTRAL.get(name, ())
            ):
                continue
            found = json.dumps(value)[:80]
            raise ApiError(400, f"{name}: {found} is not supported; leave this field out", name, "unsupported_field")


def readable(name: str, text: str) -> str:
    """A text that can be written as UTF-8: JSON may spell half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ApiError(400, f"{name}: holds half of a surrogate pair, which is no character", name) from None
    return text
