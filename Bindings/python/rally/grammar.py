"""Texts that follow a grammar: JSON Schemas, regular expressions and context-free grammars, through `llguidance`.

Needs the extra ``grammar``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import RallyError, Status
from .logits import Logits
from .model import Model

if TYPE_CHECKING:
    import llguidance


class Grammar:
    """Lets through only the tokens with which a text can still follow a grammar: an `on_logits`.

    One object serves all requests of an engine, or of a model's calls, that follow its grammar; each has a state of its own,
    which is let go when its text is whole. A text that is cut by `max_tokens` is the beginning of one that follows the grammar.

    Parameters
    ----------
    model : Model
        A language model with a tokenizer, or `Grammar.Tokens` of one, to read its vocabulary only once.
    grammar : str
        As `llguidance` reads it: Lark's form, or JSON.

    Raises
    ------
    RallyError
        INVALID_ARGUMENT: the grammar cannot be read, or not by `llguidance`. UNSUPPORTED: no tokenizer.
    ImportError
        `llguidance` is not installed.

    Examples
    --------
    >>> schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    >>> model.generate(["Somebody: "], max_tokens=60, on_logits=Grammar.of_schema(model, schema))
    """

    class Tokens:
        """The vocabulary of a model as `llguidance` has it; takes a while to read, and serves any number of grammars."""

        def __init__(self, model: Model) -> None:
            self.library = _llguidance()
            info, vocabulary = model.info, model.vocabulary()
            # Without an end of its own the text ends where all tokens are forbidden; llguidance wants one all the same.
            end = info.eos_token_id
            special = np.flatnonzero(vocabulary.special).tolist()

            class Source:
                eos_token_id = special[0] if end is None and special else end or 0
                bos_token_id = info.bos_token_id
                tokens = vocabulary.tokens
                special_token_ids = special

                def __call__(self, text: bytes) -> list[int]:
                    return model.encode(text, add_bos=False, add_eos=False, parse_special=False)

            self.size = info.vocab_size
            self.tokenizer = self.library.LLTokenizer(self.library.TokenizerWrapper(Source()))

    def __init__(self, model: Model | Grammar.Tokens, grammar: str) -> None:
        self._tokens = model if isinstance(model, Grammar.Tokens) else Grammar.Tokens(model)
        matcher = self._tokens.library.LLMatcher
        if problem := matcher.validate_grammar(grammar, self._tokens.tokenizer):
            raise RallyError(Status.INVALID_ARGUMENT, f"grammar: {' '.join(problem.split())[:400]}")
        self._start = matcher(self._tokens.tokenizer, grammar, log_level=0)
        self._states: dict[int, _State] = {}

    @classmethod
    def of_schema(cls, model: Model | Grammar.Tokens, schema: Mapping[str, Any] | str) -> Grammar:
        """A grammar of the JSON texts that a JSON Schema describes, without spaces that mean nothing.

        Parameters
        ----------
        model : Model or Grammar.Tokens
        schema : dict or str
            What it does not bound may be long: give strings a `maxLength` and lists `maxItems` where texts must end.
        """
        library = _llguidance()
        text = schema if isinstance(schema, str) else json.dumps(schema)
        try:
            grammar = library.LLMatcher.grammar_from_json_schema(text, defaults={"whitespace_flexible": False})
        except ValueError as error:
            raise RallyError(Status.INVALID_ARGUMENT, f"schema: {' '.join(str(error).split())[:400]}") from None
        return cls(model, grammar)

    def __call__(self, rows: list[Logits]) -> None:
        """Forbids, in each row, the tokens that do not go on with its text."""
        mask = np.zeros((1, (self._tokens.size + 31) // 32), np.int32)
        for row in rows:
            state = self._states.get(row.request)
            if state is None or state.count > len(row.tokens) - row.prompt_count:
                state = self._states[row.request] = _State(self._start.deep_copy())
            state.read(row.tokens[row.prompt_count :])
            if state.is_whole:
                row.values[:] = -np.inf
                del self._states[row.request]
                continue
            state.matcher.unsafe_compute_mask_ptr(mask.ctypes.data, mask.nbytes)
            allowed = np.unpackbits(mask.view(np.uint8), bitorder="little")[: row.values.size]
            row.values[allowed == 0] = -np.inf


class _State:
    """How far a request's text has come in a grammar."""

    def __init__(self, matcher: llguidance.LLMatcher) -> None:
        self.matcher = matcher
        self.count = 0

    def read(self, tokens: Any) -> None:
        new = tokens[self.count :].tolist()
        self.count += len(new)
        if new and not self.is_whole and not self.matcher.consume_tokens(new):
            raise RallyError(Status.INVALID_ARGUMENT, f"grammar: {' '.join(self.matcher.get_error().split())[:400]}")

    @property
    def is_whole(self) -> bool:
        """Whether the text follows the grammar and nothing may follow it."""
        return bool(self.matcher.is_stopped())


def _llguidance() -> Any:
    try:
        import llguidance
    except ImportError:
        raise ImportError('grammars need llguidance: pip install "rally-runtime[grammar]"') from None
    return llguidance
