"""Rows that can be rated, and why others cannot."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..content import ContentError, name_of, text_bytes, token_ids
from ..documents import Reading
from ..model import Model
from ..text_template import Template
from ..tokenizer import ANYBODYS_SPECIAL
from .rows import Lost, Row

Tokens = npt.NDArray[np.int32]

#: The source of rows whose column says none.
NO_SOURCE = "(none)"

#: Bytes of a content's digest.
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Document:
    """What is rated as one: a document, or a packed sequence.

    Attributes
    ----------
    id, source : str
    file, row : str and int
        Where it stands, or begins.
    tokens : ndarray [T], int32
    digest : bytes
        BLAKE2b of 128 bits of the text as the row has it, or of the ids as int32, little endian.
    text : bytes or None
        Of a document that was read as text: what is read, with what the rater's template puts around it.
    count : int
        Documents that are in it, whole or in part.
    """

    id: str
    source: str
    file: str
    row: int
    tokens: Tokens
    digest: bytes
    text: bytes | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Rejection:
    """What was not rated: where it stands, what it is called if that could be read, and why.

    Attributes
    ----------
    row : int or None
        None: a whole file.
    rows : int or None
        How many are missing from `row` on; None: that cannot be known.
    is_lost : bool
        Whether the file is damaged or no such file; else it is a single row that holds nothing to rate.
    """

    file: str
    row: int | None
    id: str | None
    source: str
    reason: str
    rows: int | None = 1
    is_lost: bool = False

    @property
    def count(self) -> int:
        """Rows, at least."""
        return 1 if self.rows is None else self.rows

    def written(self) -> dict[str, Any]:
        """The line of ``rejected.jsonl``."""
        found = {name: getattr(self, name) for name in ("file", "row", "id", "source", "reason")}
        return found | ({"rows": self.rows} if self.is_lost else {})


class DocumentMaker:
    """Makes documents of rows.

    Parameters
    ----------
    model : Model
        Whose tokenizer reads the texts. Tokenizing is safe during a running computation of the same model.
    vocabulary : int
        Ids are below it: the smallest vocabulary of all models that read them.
    is_tokens, has_id, has_source : bool
        Whether content is token ids, whether rows have an id, and a source.
    ends : bool
        Whether each document ends with the model's last token.
    reading : Reading, optional
        How texts are encoded; None: as the model's file says.
    template : Template, optional
        What is read of a row besides its text; its members are the row's `extra`.
    """

    def __init__(
        self,
        model: Model,
        vocabulary: int,
        *,
        is_tokens: bool = False,
        has_id: bool = False,
        has_source: bool = False,
        ends: bool = False,
        reading: Reading | None = None,
        template: Template | None = None,
    ) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._is_tokens = is_tokens
        self._has_id = has_id
        self._has_source = has_source
        self._reading = reading
        self._template = template
        self._end = model.info.eos_token_id if ends else None

    def make(self, row: Row, file: str, source: str) -> Document | Rejection:
        """`source`: the file's, for rows that have no column for it. A row without an id is named by its place."""
        identity = (name_of(row.id) if self._has_id else None) or None
        if self._has_source:
            source = name_of(row.source) or NO_SOURCE
        try:
            if row.problem is not None:
                raise ContentError(row.problem)
            tokens, digest, text = self._content(row)
        except ContentError as error:
            place = None if self._has_id else f"{file}:{row.number}"
            return Rejection(file, row.number, identity or place, source, str(error))
        return Document(identity or f"{file}:{row.number}", source, file, row.number, tokens, digest, text)

    def lost(self, lost: Lost, file: str, source: str) -> Rejection:
        """The record of what cannot be read."""
        return Rejection(file, lost.number, None, source, lost.reason, lost.rows, True)

    def _content(self, row: Row) -> tuple[Tokens, bytes, bytes | None]:
        content = row.content
        if self._is_tokens:
            tokens = token_ids(content, self._vocabulary)
            if tokens.size == 0:
                raise ContentError("there are no tokens")
            return self._ended(tokens), _digest(tokens.astype("<i4").tobytes()), None
        text = text_bytes(content)
        if not text:
            raise ContentError("the text is empty")
        digest = _digest(text)
        if self._template is not None:
            text = self._template.filled(text, row.extra)
        tokens = self._encoded(text)
        if tokens.size == 0:
            raise ContentError("the text has no tokens")
        return tokens, digest, text

    def _encoded(self, text: bytes) -> Tokens:
        """What the rater reads of a text; what becomes part of a packed sequence ends with its end."""
        if self._end is None:
            return np.array(self._model.encode_document(text, self._reading), np.int32)
        return self._model.encode_rows([text], add_eos=True, parse_special=ANYBODYS_SPECIAL).tokens

    def _ended(self, tokens: Tokens) -> Tokens:
        if self._end is None or tokens[-1] == self._end:
            return tokens
        return np.append(tokens, np.int32(self._end))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
