"""How a text goes on and where it ends: the arguments that all ways of generating share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ctypes import c_char_p, c_void_p, cast
from typing import Any, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

from . import _library
from ._library import Library
from .errors import RallyError, Status
from .logits import OnLogits, Rule, Rules
from .rows import Rows, check_names, choice, integer
from .tokenizer import to_bytes

Prompt: TypeAlias = str | bytes | Sequence[int] | npt.NDArray[np.integer[Any]]
Stop: TypeAlias = "int | str | Sequence[int | str] | npt.NDArray[np.integer[Any]]"


class Sampling(TypedDict, total=False):
    """Keyword arguments of `Model.generate`, `Model.stream`, `Engine.submit` and `AsyncEngine.generate`.

    Attributes
    ----------
    temperature : float
        0, the default: the most probable token.
    top_k : int
        Only the k most probable tokens; 0: all.
    top_p : float
        Only the most probable tokens that together have this probability, in (0, 1].
    min_p : float
        Only tokens with this share of the most probable one's probability, in [0, 1].
    stop : int, str, or a sequence of these
        Tokens and texts that end the text; the token that is one, or completes one, is the last. Texts are looked for
        in the generated text alone; the one that is complete first counts, of several complete at once the longest.
    include_stop : bool
        Whether the text keeps the stop string that ends it.
    stop_at_eos : bool, optional
        Whether the model's eos token ends the text too; None: yes.
    repetition_penalty : float
        Divides the positive logits of all tokens of the prompt and the text, and multiplies the others; 1: none.
    presence_penalty, frequency_penalty : float
        Subtracted from the logits of tokens that were generated: once, and for each time that they were. 0: none.
    logit_bias : mapping of int to float
        What is added to the logits of single tokens, after the penalties; ``-inf`` forbids a token.
    logprobs : int
        How many most probable tokens are reported with each one, at most 64.
    max_depth : int, optional
        Recursions a token may run; None: the model's own number.
    min_depth : int, optional
        Recursions a token of a looped model runs at least; None: 1.
    exit_threshold : float, optional
        What a looped model's rule for exits compares with, at least 0; None: the file's own. The hazard rule lets a
        token leave where it is reached, 1 never and 0 always; the latent difference where it is not, 0 never.
    exit_from : int, optional
        Tokens of prompt and text before this one run at full depth; None: those of the prompt.
    kv_policy : {"full", "last_exited", "propagated"}, optional
        What later tokens see of the recursions that a token did not run; None: as the file says.
    target_depth : float, optional
        Mean depth that the model is steered to, in [1, num_recursion]; None: what it does by itself. Depends on the
        text's own tokens alone; a long text comes close to it, a short one less so.
    on_logits : callable, optional
        One's own sampler or grammar: called with a list of `Logits` before penalties, biases and cuts, at each token of
        all requests of this call, or of the engine, that have this very function. It may change their values in place;
        a row that forbids every token ends its text with "stop", and NaN forbids. `logprob` in events is of what it
        leaves. Runs on the thread that computes, so it must be short, and must not call this model or engine. What it
        raises ends these texts: `generate` and `stream` raise it, events of an engine carry it.
    """

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    stop: Stop
    include_stop: bool
    stop_at_eos: bool | None
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float
    logit_bias: Mapping[int, float]
    logprobs: int
    max_depth: int | None
    min_depth: int | None
    exit_threshold: float | None
    exit_from: int | None
    kv_policy: str | None
    target_depth: float | None
    on_logits: OnLogits | None


class RequestOptions(Sampling, total=False):
    """Keyword arguments of `Engine.submit`, `Engine.restore` and `AsyncEngine.generate`: those of `Sampling`, and these.

    Attributes
    ----------
    seed : int
        The same seed, 0 where none is given, gives the same text, whatever else runs.
    priority : int
        Higher goes first, equal ones in the order of submission; 0 where it is not given.
    skip_special : bool
        Whether special tokens are left out of the events' texts.
    timeout : float, optional
        Seconds from now after which the text ends with "deadline", also where it has not begun; None: no limit.
    user : object, optional
        Given back in the request's events and `Logits`.
    """

    seed: int
    priority: int
    skip_special: bool
    timeout: float | None
    user: Any


_NUMBERS = ("temperature", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")


def set_exits(struct: Any, min_depth: int | None, exit_threshold: float | None, kv_policy: str | None) -> None:
    """Sets the fields about a looped model's exits that requests and runs have in common."""
    struct.min_depth = 0 if min_depth is None else integer("min_depth", min_depth, 1, 2**32 - 1)
    if exit_threshold is not None:
        struct.exit_threshold = exit_threshold
        if struct.exit_threshold == -1:  # would mean the model's own
            raise RallyError(
                Status.INVALID_ARGUMENT, "exit_threshold: expected a finite number of at least 0, found -1"
            )
    struct.kv_policy = choice("kv_policy", kv_policy, _library.KV_POLICIES)


class RequestTemplate:
    """A ``rally_request`` that lacks its prompt, and the memory that it points to.

    Attributes
    ----------
    stop_strings : list of str
        In the order of the request: events name them by their index.
    rule : Rule or None
        What `on_logits` became; alive as long as a request that has it.
    """

    def __init__(self, library: Library, how: Sampling, skip_special: bool = False, rules: Rules | None = None) -> None:
        given: dict[str, Any] = {**how}
        check_names(given, Sampling)
        self._library = library
        self._struct = library.new("rally_request")
        for name in _NUMBERS:
            setattr(self._struct, name, given.get(name, getattr(self._struct, name)))
        self._struct.top_k = integer("top_k", given.get("top_k", 0), -(2**31), 2**31 - 1)
        self._struct.top_logprobs = integer("logprobs", given.get("logprobs", 0), 0, 2**32 - 1)
        self._struct.max_depth = integer("max_depth", given.get("max_depth") or 0, 0, 2**32 - 1)
        self._struct.target_depth = given.get("target_depth") or 0.0
        set_exits(self._struct, given.get("min_depth"), given.get("exit_threshold"), given.get("kv_policy"))
        start = given.get("exit_from")
        self._struct.exit_from = -1 if start is None else integer("exit_from", start, 0, 2**63 - 1)
        self._struct.stop_at_eos = choice("stop_at_eos", given.get("stop_at_eos"), _library.SWITCHES)
        self._struct.include_stop = choice("include_stop", given.get("include_stop", False), _library.SWITCHES)
        self._struct.skip_special = choice("skip_special", skip_special, _library.SWITCHES)
        self._set_stops(given.get("stop", ()))
        self._set_biases(given.get("logit_bias") or {})
        self.rule = self._set_rule(given.get("on_logits"), rules or Rules())

    def _set_rule(self, function: OnLogits | None, rules: Rules) -> Rule | None:
        if function is None:
            return None
        if not callable(function):
            raise RallyError(Status.INVALID_ARGUMENT, f"on_logits: expected a function, found {function!r}")
        rule = rules.take(function)
        self._struct.on_logits = rule.callback
        return rule

    def _set_stops(self, stop: Any) -> None:
        if isinstance(stop, (str, bytes)):
            stop = [stop]
        self.stop_strings = [item for item in stop if isinstance(item, str)] if isinstance(stop, Sequence) else []
        tokens = [item for item in stop if not isinstance(item, str)] if self.stop_strings else stop
        self._stop_tokens = Rows.pack([np.atleast_1d(np.asarray(tokens))]).tokens
        self._struct.stop_tokens, self._struct.stop_token_count = _place(self._stop_tokens)

        encoded = [to_bytes(string) for string in self.stop_strings]
        if any(b"\0" in string for string in encoded):
            raise RallyError(Status.INVALID_ARGUMENT, "stop: a text that contains a zero character")
        self._stop_pointers = (c_char_p * len(encoded))(*encoded)
        self._struct.stop_strings = cast(self._stop_pointers, c_void_p)
        self._struct.stop_string_count = len(encoded)

    def _set_biases(self, biases: Mapping[int, float]) -> None:
        tokens = [integer("logit_bias", token, -(2**31), 2**31 - 1) for token in biases]
        self._bias_tokens = np.array(tokens, np.int32)
        self._bias_values = np.array(list(biases.values()), np.float32)
        self._struct.bias_tokens, self._struct.bias_count = _place(self._bias_tokens)
        self._struct.bias_values, _ = _place(self._bias_values)

    @property
    def top_count(self) -> int:
        """Most probable tokens that each event brings."""
        return int(self._struct.top_logprobs)

    def request(
        self, tokens: npt.NDArray[np.int32], max_tokens: int, seed: int, priority: int = 0, timeout: float | None = None
    ) -> Any:
        """A struct that is valid as long as this object and `tokens` are."""
        request = _library.Request.from_buffer_copy(self._struct)
        request.tokens, request.token_count = _place(tokens)
        request.max_tokens = max_tokens
        request.seed = integer("seed", seed, 0, 2**64 - 1)
        request.priority = integer("priority", priority, -(2**31), 2**31 - 1)
        request.timeout_seconds = timeout or 0.0
        return request


def _place(array: npt.NDArray[Any]) -> tuple[int, int]:
    return array.ctypes.data, array.size
