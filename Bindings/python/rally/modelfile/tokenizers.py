"""What a model file says about its tokenizer: keys of the metadata, and tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
        """Return the tables of strings, by their names after ``tokenizer.``."""
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
        """Return the tables of strings, by their names after ``tokenizer.``."""
        return {"vocab": self.vocab}


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The steps of a ``tokenizer.json``: what the two plainer kinds have no words for.

    Attributes
    ----------
    model : {"bpe", "unigram", "wordpiece"}
        What makes tokens of a piece of text.
    vocab : tuple of str
        The entry of each id, as the file writes it; empty for an id that no token has.
    added_flags : tuple of int
        Of each added token: 1 takes the white space before it, 2 that after it, 4 is a single word, 8 is looked for in
        the normalised text, 16 is known to the model too.
    merge_pairs : tuple of pairs
        Ids, in order of rank.
    charsmaps : tuple of str
        The maps of the steps ``Precompiled``, base64, in their order; the steps themselves have none.
    """

    kind: ClassVar[str] = "pipeline"

    model: str
    bos_token_id: int | None
    eos_token_id: int | None
    add_bos: bool
    add_eos: bool
    vocab: tuple[str, ...]
    added: tuple[int, ...]
    added_flags: tuple[int, ...]
    special: tuple[int, ...]
    normalizer: str | None = None
    pre_tokenizer: str | None = None
    decoder: str | None = None
    unk_token_id: int | None = None
    byte_fallback: bool = False
    fuse_unk: bool = False
    ignore_merges: bool = False
    continuing_subword_prefix: str = "##"
    max_input_chars_per_word: int = 100
    merge_pairs: tuple[tuple[int, int], ...] = ()
    scores: tuple[float, ...] = ()
    charsmaps: tuple[str, ...] = ()

    def metadata(self) -> dict[str, object]:
        """Return the keys of a ``pipeline`` tokenizer, without the ``rally.`` prefix and without those of a default."""
        pairs: dict[str, object] = {"tokenizer_model": self.model}
        names = ["normalizer", "pre_tokenizer", "decoder", "unk_token_id"]
        pairs |= {name: value for name in names if (value := getattr(self, name)) is not None}
        flags = {"bpe": ("byte_fallback", "fuse_unk", "ignore_merges"), "unigram": ("byte_fallback",), "wordpiece": ()}
        pairs |= {name: True for name in flags[self.model] if getattr(self, name)}
        if self.model == "wordpiece":
            names = ["continuing_subword_prefix", "max_input_chars_per_word"]
            pairs |= {name: getattr(self, name) for name in names}
        names = ["bos_token_id", "eos_token_id", "add_bos", "add_eos"]
        return pairs | {name: getattr(self, name) for name in names}

    def texts(self) -> dict[str, tuple[str, ...]]:
        """Return the tables of strings, by their names after ``tokenizer.``."""
        tables: dict[str, tuple[str, ...]] = {"vocab": self.vocab}
        if self.model == "unigram":
            tables["scores"] = tuple(map(repr, self.scores))
        if self.charsmaps:
            tables["precompiled_charsmap"] = self.charsmaps
        return tables

    def cut(self, rows: int) -> Pipeline:
        """Return the same with the first ``rows`` ids alone; the others are of added tokens."""
        kept = [place for place, number in enumerate(self.added) if number < rows]
        return replace(
            self,
            vocab=self.vocab[:rows],
            scores=self.scores[:rows],
            added=tuple(self.added[place] for place in kept),
            added_flags=tuple(self.added_flags[place] for place in kept),
            special=tuple(number for number in self.special if number < rows),
        )


#: A tokenizer of any kind.
AnyTokenizer = Tokenizer | WordPiece | Pipeline
