"""Rows that can be rated, and why others cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..model import Model
from .readers import Row

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Document:
    """What is rated as one: a document, or a packed sequence.

    Attributes
    ----------
    id, source : str
    file, row : str and int
        Where it stands, or begins.
    tokens : ndarray [T], int32
    text : bytes or None
        Kept where a further model has a tokenizer of its own.
    count : int
        Documents that are in it, whole or in part.
    """

    id: str
    source: str
    file: str
    row: int
    tokens: Tokens
    text: bytes | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that was not rated: where it stands, what it is called if that could be read, and why."""

    file: str
    row: int
    id: str | None
    source: str
    reason: str


class RejectedError(Exception):
    """Why a row cannot be rated."""


class DocumentMaker:
    """Makes documents of rows.

    Parameters
    ----------
    model : Model
        Whose tokenizer reads the texts. Tokenizing is safe beside a running computation of the same model.
    vocabulary : int
        Ids are below it: the smallest vocabulary of all models that read them.
    columns : tuple of (bool, bool, bool)
        Whether content is token ids, whether rows have an id, and a source.
    keeps_text, ends : bool
        Whether the text is kept; whether each document ends with the model's last token.
    """

    def __init__(
        self,
        model: Model,
        vocabulary: int,
        *,
        is_tokens: bool = False,
        has_id: bool = False,
        has_source: bool = False,
        keeps_text: bool = False,
        ends: bool = False,
    ) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._is_tokens = is_tokens
        self._has_id = has_id
        self._has_source = has_source
        self._keeps_text = keeps_text
        self._end = model.info.eos_token_id if ends else None

    def make(self, row: Row, file: str, source: str) -> Document | Rejection:
        """`source`: the file's, for rows that have no column for it."""
        identity: str | None = None if self._has_id else f"{file}:{row.number}"
        try:
            if row.problem is not None:
                raise RejectedError(row.problem)
            if self._has_id:
                identity = _name(row.id, "id")
            if self._has_source:
                source = _name(row.source, "source")
            tokens, text = self._content(row.content)
        except RejectedError as error:
            return Rejection(file, row.number, identity, source, str(error))
        return Document(identity or "", source, file, row.number, tokens, text)

    def _content(self, content: object) -> tuple[Tokens, bytes | None]:
        if self._is_tokens:
            return self._ended(_ids(content, self._vocabulary)), None
        text = _text(content)
        if not text:
            raise RejectedError("the text is empty")
        tokens = self._model.encode_rows([text], add_eos=self._end is not None or None, parse_special=False).tokens
        if tokens.size == 0:
            raise RejectedError("the text has no tokens")
        return tokens, text if self._keeps_text else None

    def _ended(self, tokens: Tokens) -> Tokens:
        if self._end is None or tokens[-1] == self._end:
            return tokens
        return np.append(tokens, np.int32(self._end))


def _name(value: object, what: str) -> str:
    if isinstance(value, bytes):
        value = _text(value, what).decode()
    if isinstance(value, str):
        _text(value, what)
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RejectedError(
        f"no {what}" if value is None else f"{what}: expected a string or an integer, found {_kind(value)}"
    )


def _text(value: object, what: str = "text") -> bytes:
    """The value as UTF-8."""
    try:
        if isinstance(value, bytes):
            value.decode("utf-8")
            return value
        if isinstance(value, str):
            return value.encode("utf-8")
    except UnicodeError as error:
        raise RejectedError(f"{what}: not Unicode: {getattr(error, 'reason', error)}") from None
    raise RejectedError(f"no {what}" if value is None else f"{what}: expected a string, found {_kind(value)}")


def _ids(value: object, vocabulary: int) -> Tokens:
    array: npt.NDArray[Any]
    if isinstance(value, np.ndarray):
        array = value
    elif isinstance(value, list):
        wrong = next((each for each in value if not isinstance(each, int) or isinstance(each, bool)), None)
        if wrong is not None or None in value:
            raise RejectedError(f"tokens: expected integers, found {_kind(wrong)}")
        array = np.array(value, dtype=object)
    else:
        raise RejectedError("no tokens" if value is None else f"tokens: expected a list, found {_kind(value)}")
    if array.size == 0:
        raise RejectedError("there are no tokens")
    outside = (array < 0) | (array >= vocabulary)
    if bool(outside.any()):
        at = int(np.argmax(outside))
        raise RejectedError(f"tokens: expected ids in [0, {vocabulary}), found {array[at]} at place {at}")
    return array.astype(np.int32)


def _kind(value: object) -> str:
    return "null" if value is None else type(value).__name__
