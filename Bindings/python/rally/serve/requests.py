"""What a client asks to be generated, read from its JSON and checked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from ..chat import Message
from ..errors import RallyError
from ..grammar import Grammar
from ..model import Model
from ..rows import is_integer
from ..sampling import Sampling
from .errors import ApiError, wrong
from .fields import Fields, readable
from .options import Limits


@dataclass(slots=True)
class Asked:
    """A checked request for texts.

    Attributes
    ----------
    prompts : list of lists of int
        Of tokens, one for each answer.
    max_tokens : list of int
        Of each answer.
    seeds : list of int
    how : Sampling
    logprobs : int or None
        Most probable tokens to report with each one; None: no log-probabilities.
    stream, include_usage : bool
    is_chat : bool
    """

    prompts: list[list[int]]
    max_tokens: list[int]
    seeds: list[int]
    how: Sampling
    logprobs: int | None
    stream: bool
    include_usage: bool
    is_chat: bool


class Reader:
    """Reads requests for one model.

    Parameters
    ----------
    model : Model
        A language model with a tokenizer.
    limits : Limits
    """

    def __init__(self, model: Model, limits: Limits) -> None:
        self._model = model
        self._limits = limits
        self._context = min(limits.context or 2**31, model.info.max_position_embeddings)
        self._grammar_tokens: Grammar.Tokens | None = None  # read when the first client asks for a grammar
        vocabulary = model.vocabulary()
        pairs = zip(vocabulary.tokens, vocabulary.special.tolist(), strict=True)
        self._specials = [token.decode("utf-8", "replace") for token, special in pairs if special and token]

    def completion(self, body: bytes) -> Asked:
        """Reads a body of ``/v1/completions``."""
        fields = Fields(body)
        prompts = self._prompts(fields.take("prompt"))
        logprobs = fields.whole("logprobs", 0, 64)
        return self._asked(fields, prompts, fields.whole("max_tokens", 1, 2**31, 16), logprobs, is_chat=False)

    def chat(self, body: bytes) -> Asked:
        """Reads a body of ``/v1/chat/completions``."""
        fields = Fields(body)
        messages = self._messages(fields.take("messages"))
        variables = fields.take("chat_template_kwargs", {})
        if not isinstance(variables, dict):
            raise wrong("chat_template_kwargs", "an object", variables)
        if reserved := variables.keys() & {
            "tokenize",
            "chat_template",
            "add_generation_prompt",
            "conversation",
            "tools",
        }:
            raise wrong("chat_template_kwargs", "variables of the template", sorted(reserved))
        prompt = self._model.apply_chat_template(messages, add_generation_prompt=True, **variables)
        top = fields.whole("top_logprobs", 0, 64)
        logprobs = (top or 0) if fields.switch("logprobs") else None
        if top is not None and logprobs is None:
            raise ApiError(400, "top_logprobs: needs logprobs: true", "top_logprobs")
        old, new = fields.whole("max_tokens", 1, 2**31), fields.whole("max_completion_tokens", 1, 2**31)
        return self._asked(fields, [prompt], old if new is None else new, logprobs, is_chat=True)

    # Prompts

    def _prompts(self, value: Any) -> list[list[int]]:
        if isinstance(value, str) or (isinstance(value, list) and value and all(map(is_integer, value))):
            value = [value]
        if not isinstance(value, list) or not value:
            raise wrong("prompt", "a text, a list of tokens, or a list of these", value)
        return [self._prompt(item) for item in value]

    def _prompt(self, value: Any) -> list[int]:
        if isinstance(value, str):
            return self._model.encode(readable("prompt", value), parse_special=self._limits.parse_special)
        if isinstance(value, list) and all(is_integer(token) and -(2**31) <= token < 2**31 for token in value):
            return value
        raise wrong("prompt", "a text, a list of tokens, or a list of these", value)

    def _messages(self, value: Any) -> list[Message]:
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            raise wrong("messages", "a list of objects with role and content", value)
        return [self._message(f"messages[{index}]", message) for index, message in enumerate(value)]

    def _message(self, name: str, message: dict[str, Any]) -> Message:
        content = message.get("content")
        if isinstance(content, list):  # parts: those that are text, as one
            parts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
            content = "".join(parts) if len(parts) == sum(_is_text(part) for part in content) == len(content) else None
        read = {**{key: value for key, value in message.items() if value is not None}, "content": content}
        if more := sorted(read.keys() - {"role", "content", "name", "refusal"}):
            raise ApiError(400, f"{name}.{more[0]}: is not supported; leave this field out", name, "unsupported_field")
        for key, text in read.items():
            if not isinstance(text, str):
                raise wrong(f"{name}.{key}", "a text", text)
            self._check_specials(f"{name}.{key}", readable(f"{name}.{key}", text))
        if "role" not in read:
            raise ApiError(400, f"{name}.role: is missing", f"{name}.role")
        return read

    def _check_specials(self, name: str, text: str) -> None:
        """A stranger's text must not end a message, or begin another: a template's text is encoded as a whole."""
        found = None if self._limits.parse_special else next((token for token in self._specials if token in text), None)
        if found is not None:
            raise ApiError(
                400,
                f"{name}: contains the special token {found!r}; start the server with --parse-special to allow it",
                name,
            )

    # What all requests have

    def _asked(
        self, fields: Fields, prompts: list[list[int]], wanted: int | None, logprobs: int | None, is_chat: bool
    ) -> Asked:
        self._check_model(fields.take("model"))
        count = fields.whole("n", 1, self._limits.max_choices, 1) or 1
        if len(prompts) * count > self._limits.max_choices:
            raise ApiError(
                400, f"prompt: {len(prompts)} times n = {count} is more than {self._limits.max_choices}", "prompt"
            )
        if wanted is not None and 0 < self._limits.max_tokens < wanted:
            raise wrong("max_tokens", f"at most {self._limits.max_tokens}, as this server was started with -n", wanted)
        seed = fields.whole("seed", -(2**63), 2**63 - 1)
        first = secrets.randbits(63) if seed is None else seed
        how = self._how(fields, logprobs)
        if grammar := self._grammar(fields.take("response_format")):
            how["on_logits"] = grammar
        stream = fields.switch("stream")
        streaming = fields.take("stream_options", {})
        if not isinstance(streaming, dict) or not streaming.keys() <= {"include_usage", "include_obfuscation"}:
            raise wrong("stream_options", "an object with include_usage", streaming)
        fields.end()
        rows = [prompt for prompt in prompts for _ in range(count)]
        return Asked(
            prompts=rows,
            max_tokens=[self._room(len(row), wanted) for row in rows],
            seeds=[(first + index % count) % 2**64 for index in range(len(rows))],
            how=how,
            logprobs=logprobs,
            stream=stream,
            include_usage=streaming.get("include_usage") is True,
            is_chat=is_chat,
        )

    def _how(self, fields: Fields, logprobs: int | None) -> Sampling:
        how: Sampling = {"temperature": 1.0, "logprobs": logprobs or 0, "stop": fields.strings("stop", 16)}
        numbers: dict[str, tuple[float, float]] = {
            "temperature": (0, 100),
            "top_p": (0, 1),
            "min_p": (0, 1),
            "repetition_penalty": (1e-3, 1e3),
            "presence_penalty": (-2, 2),
            "frequency_penalty": (-2, 2),
            "target_depth": (1, 1e6),
            "exit_threshold": (0, 1e30),
        }
        given: dict[str, Any] = {name: fields.number(name, *bounds) for name, bounds in numbers.items()}
        for name in ("top_k", "max_depth", "min_depth"):
            given[name] = fields.whole(name, 0 if name == "top_k" else 1, 2**31 - 1)
        how.update({name: value for name, value in given.items() if value is not None})  # type: ignore[typeddict-item]
        if biases := fields.biases("logit_bias"):
            how["logit_bias"] = biases
        if fields.switch("ignore_eos"):
            how["stop_at_eos"] = False
        return how

    def _grammar(self, wanted: Any) -> Grammar | None:
        """What ``response_format`` asks for; None: any text."""
        if wanted is None or wanted == {"type": "text"}:
            return None
        kind = wanted.get("type") if isinstance(wanted, dict) else None
        if kind == "json_object":
            schema: Any = {"type": "object"}
        elif kind == "json_schema" and isinstance(wanted.get("json_schema"), dict):
            schema = wanted["json_schema"].get("schema")
        else:
            raise wrong("response_format", "an object of type text, json_object or json_schema", wanted)
        if not isinstance(schema, dict):
            raise wrong("response_format.json_schema.schema", "a JSON Schema, an object", schema)
        try:
            if self._grammar_tokens is None:
                self._grammar_tokens = Grammar.Tokens(self._model)
            return Grammar.of_schema(self._grammar_tokens, schema)
        except RallyError as error:
            raise ApiError(400, f"response_format: {error.message}", "response_format") from None
        except ImportError:
            raise ApiError(
                400,
                "response_format: this server has no llguidance; leave this field out",
                "response_format",
                "unsupported_field",
            ) from None

    def _check_model(self, name: Any) -> None:
        if name is not None and name != self._limits.alias:
            raise ApiError(
                404, f"model: {name!r} is not here; this server has {self._limits.alias!r}", "model", "model_not_found"
            )

    def _room(self, length: int, wanted: int | None) -> int:
        if not 0 < length <= self._context:
            raise ApiError(
                400,
                f"prompt: has {length} tokens, expected 1 to {self._context}, the context",
                "prompt",
                "context_length_exceeded",
            )
        # One more is predicted from the last token of a full context.
        return min(self._context - length + 1, wanted or 2**31, self._limits.max_tokens or 2**31)


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text"
