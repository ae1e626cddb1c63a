"""A model and its tokenizer; and who makes its scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import identity, tokenizer, vocabulary
from ._opened import OpenedModel
from .chat import Chat
from .rows import Row, Rows, listed
from .vocabulary import Vocabulary


class TextModel(OpenedModel, Chat):
    """What every model has for texts."""

    def encode(
        self,
        text: str | bytes,
        add_bos: bool | None = None,
        add_eos: bool | None = None,
        parse_special: bool | None = None,
    ) -> list[int]:
        """The token ids of a text. Bytes that are not UTF-8 are kept: decoding gives back the very bytes.

        A rater with BERT's tokenizer drops them, and its decoding gives words with one space between, not the text.

        Parameters
        ----------
        text : str or bytes
        add_bos, add_eos : bool, optional
            Whether the model's first and last token are added; None: as the model file says.
        parse_special : bool, optional
            Whether "<|endoftext|>" in the text becomes its one token; None: yes, as in Hugging Face's libraries. False
            for text of strangers, as documents are encoded.

        Raises
        ------
        RallyError
            UNSUPPORTED: the model has no tokenizer.
        """
        tokens: list[int] = self.encode_rows([text], add_bos, add_eos, parse_special).tokens.tolist()
        return tokens

    def encode_rows(
        self,
        texts: Sequence[str | bytes],
        add_bos: bool | None = None,
        add_eos: bool | None = None,
        parse_special: bool | None = None,
    ) -> Rows:
        """The token ids of many texts, laid end to end as the methods that compute take them; see `encode`."""
        switches = {"add_bos": add_bos, "add_eos": add_eos, "parse_special": parse_special}
        raw = tokenizer.options(self._library, **switches)
        return Rows.pack([tokenizer.encode(self._library, self._handle.address, text, raw) for text in texts])

    def decode(self, ids: Row, skip_special: bool = False) -> str:
        """The text of token ids; what is not UTF-8 becomes U+FFFD (`decode_bytes` keeps it).

        Parameters
        ----------
        ids : sequence of int, or integer array [n]
        skip_special : bool
            Whether special tokens are left out.

        Raises
        ------
        RallyError
            UNSUPPORTED: the model has no tokenizer. INVALID_TOKEN: an id outside the vocabulary.
        """
        return self.decode_bytes(ids, skip_special).decode("utf-8", "replace")

    def decode_bytes(self, ids: Row, skip_special: bool = False) -> bytes:
        """The bytes of token ids; see `decode`."""
        raw = tokenizer.options(self._library, skip_special=skip_special)
        return tokenizer.decode(self._library, self._handle.address, Rows.pack([ids]).tokens, raw)

    def vocabulary(self) -> Vocabulary:
        """What each token stands for: for grammars, and for the text of single tokens.

        Raises
        ------
        RallyError
            UNSUPPORTED: the model has no tokenizer.
        """
        return vocabulary.read_vocabulary(self._library, self._handle.address, self._info.vocab_size)

    def fingerprint(self, squash: bool = False) -> str:
        """64 hexadecimal digits that stand for the file's content and for what changes its scores.

        The same on every machine and for every name of the file; what `select.decide` takes. Reads the whole file, the
        first time.

        Raises
        ------
        RallyError
            UNSUPPORTED: the model was opened from memory.
        """
        return identity.fingerprint(self._library, self._handle.address, squash)

    def label(
        self,
        window: int | None = None,
        stride: int | None = None,
        max_windows: int | None = None,
        *,
        packed: int | None = None,
        squash: bool = False,
        more: str = "",
    ) -> str:
        """What a `Distribution` of this model's scores, or perplexities, is labelled with.

        Parameters
        ----------
        window, stride, max_windows : int, optional
            As in `rate_documents`.
        packed : int, optional
            Tokens of rows that are rated whole; None: documents, window by window.
        squash : bool
            As in `rate`.
        more : str
            Further ``key=value`` pairs with one space between, for whatever else parts scores.

        Returns
        -------
        str
            Equal ones mean scores that belong together.
        """
        arguments = (squash, window, stride, max_windows, packed, more)
        return identity.label(self._library, self._handle.address, *arguments)

    def reads_same_tokens(self, other: TextModel) -> bool:
        """Whether both models read the same tokens: equal tokenizers, or none and as many ids."""
        return identity.same_tokens(self._library, self._handle.address, other._handle.address)

    def _rows(self, rows: Any) -> Rows:
        rows = listed(rows)
        if tokenizer.has_texts(rows):
            parses = None if self.kind == "lm" else tokenizer.ANYBODYS_SPECIAL
            raw = tokenizer.options(self._library, parse_special=parses)
            rows = tokenizer.encode_texts(self._library, self._handle.address, rows, raw)
        return Rows.pack(rows)
