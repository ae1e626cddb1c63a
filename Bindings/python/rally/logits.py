"""One's own sampler or grammar: a function that sees, and may change, the logits before a token is drawn."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._c.structs import Logits as RawLogits
from ._c.structs import LogitsCallback


@dataclass(slots=True, eq=False)
class Logits:
    """The logits of one request that is about to draw a token.

    The arrays are the library's own memory and valid during the call only: copy what is to be kept.

    Attributes
    ----------
    request : int
        As in events: the engine's number; in `Model.generate` the index of the prompt.
    user : object
        What `Engine.submit` was given as `user`.
    values : ndarray, shape [V], float32
        Of each token; may be changed in place, and ``-inf`` forbids a token. V is the vocabulary's size.
    tokens : ndarray, shape [n], int32
        The prompt and the text so far; read-only.
    prompt_count : int
        How many of them are the prompt.
    depth : int
        Recursions that the last of them ran through.
    """

    request: int
    user: Any
    values: npt.NDArray[np.float32]
    tokens: npt.NDArray[np.int32]
    prompt_count: int
    depth: int


OnLogits: TypeAlias = Callable[[list[Logits]], object]


class Rule:
    """A function of Python as a ``rally_logits_callback``.

    Parameters
    ----------
    function : callable
        Takes the rows of all its requests that draw a token now.
    users : mapping of int to object
        What the numbers stand for that requests have as their ``user``.

    Attributes
    ----------
    errors : dict of int to BaseException
        What the function raised, by the requests that it ended.
    """

    def __init__(self, function: OnLogits, users: Mapping[int, Any]) -> None:
        self._function = function
        self._users = users
        self.errors: dict[int, BaseException] = {}
        self.callback = LogitsCallback(self._call)

    def _call(self, user: int | None, rows: int, count: int) -> int:
        addresses = (ctypes.c_size_t * count).from_address(rows)
        raws = [RawLogits.from_address(address) for address in addresses]
        try:
            self._function([self._row(raw) for raw in raws])
        except BaseException as error:
            for raw in raws:
                self.errors[raw.request] = error
            return 1
        return 0

    def _row(self, raw: RawLogits) -> Logits:
        values = np.ctypeslib.as_array((ctypes.c_float * raw.count).from_address(raw.values))
        tokens = np.ctypeslib.as_array((ctypes.c_int32 * raw.token_count).from_address(raw.tokens))
        tokens.flags.writeable = False
        user = self._users.get(raw.user or 0)
        return Logits(raw.request, user, values, tokens, raw.prompt_count, raw.depth)


class Rules:
    """The rules of an engine: requests with the same function share one, so that it sees their rows together."""

    def __init__(self) -> None:
        self.users: dict[int, Any] = {}
        self._rules: MutableMapping[int, tuple[OnLogits, Rule]] = {}
        self._uses: dict[int, int] = {}

    def take(self, function: OnLogits) -> Rule:
        """The rule of a function, until `release` has been called as often."""
        key = next((key for key, (known, _) in self._rules.items() if known == function), id(function))
        if key not in self._rules:
            self._rules[key] = function, Rule(function, self.users)
        self._uses[key] = self._uses.get(key, 0) + 1
        return self._rules[key][1]

    def release(self, rule: Rule) -> None:
        """One request fewer that has this rule."""
        key = next(key for key, (_, known) in self._rules.items() if known is rule)
        self._uses[key] -= 1
        if not self._uses[key]:
            del self._rules[key], self._uses[key]
