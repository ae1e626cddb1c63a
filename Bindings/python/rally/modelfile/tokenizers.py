"""What a model file says about its tokenizer: keys of the metadata, and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Tokenizer:
    """A byte-level BPE: its metadata and its tables."""

    kind: ClassVar[str] = "bpe"

    pre_tokenizer: str
    add_prefix_space: bool
    bos_token_id: int | None
    eos_token_id: int | None
    add_bos: bool
    add_eos: bool
    vocab: tuple[str, ...]
    merges: tuple[str, ...]
    added: tuple[int, ...]
    special: tuple[int, ...]

    def metadata(self) -> dict[str, object]:
        """Return the keys of a ``bpe`` tokenizer, without the ``rally.`` prefix."""
        names = ("pre_tokenizer", "add_prefix_space", "bos_token_id", "eos_token_id", "add_bos", "add_eos")
        return {name: getattr(self, name) for name in names}

    def texts(self) -> dict[str, tuple[str, ...]]:
        """Return the tables of strings, by their names behind ``tokenizer.``."""
        return {"vocab": self.vocab, "merges": self.merges}


@dataclass(frozen=True, kw_only=True)
class WordPiece:
    """BERT's tokenizer: its metadata and its tables. The sequence begins with [CLS] and ends with [SEP]."""

    kind: ClassVar[str] = "wordpiece"

    clean_text: bool
    handle_chinese_chars: bool
    strip_accents: bool
    lowercase: bool
    unk_token_id: int
    bos_token_id: int | None
    eos_token_id: int | None
    add_bos: bool
    add_eos: bool
    vocab: tuple[str, ...]
    added: tuple[int, ...]
    special: tuple[int, ...]
    continuing_subword_prefix: str = "##"
    max_input_chars_per_word: int = 100
    decoder_cleanup: bool = True

    def metadata(self) -> dict[str, object]:
        """Return the keys of a ``wordpiece`` tokenizer, without the ``rally.`` prefix."""
        names = (
            "clean_text",
            "handle_chinese_chars",
            "strip_accents",
            "lowercase",
            "continuing_subword_prefix",
            "max_input_chars_per_word",
            "unk_token_id",
            "decoder_cleanup",
            "bos_token_id",
            "eos_token_id",
            "add_bos",
            "add_eos",
        )
        return {name: getattr(self, name) for name in names}

    def texts(self) -> dict[str, tuple[str, ...]]:
        """Return the tables of strings, by their names behind ``tokenizer.``."""
        return {"vocab": self.vocab}
