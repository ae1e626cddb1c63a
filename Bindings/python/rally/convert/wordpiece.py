"""Reads BERT's tokenizer from a ``tokenizer.json``, or from a ``vocab.txt`` and ``tokenizer_config.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rally.convert.settings import Settings
from rally.convert.tokenizer_parts import added_tokens, kind, placed_ends, unsupported, vocabulary
from rally.modelfile import ModelFileError, WordPiece

#: What a ``vocab.txt`` marks by its names alone, and what the tokenizer's configuration calls it.
SPECIAL = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def read_wordpiece(content: Settings) -> WordPiece:
    """Convert the content of a ``tokenizer.json``; its truncation and padding do not belong to a model."""
    model = content.section("model")
    vocab = vocabulary(content, model)
    unknown, prefix = model.text("unk_token"), model.text("continuing_subword_prefix")
    if unknown not in vocab:
        raise ModelFileError(f"{content.source}: unk_token {unknown!r} is not in the vocabulary")
    if not 1 <= len(prefix.encode()) <= 16:
        raise unsupported(content, f"continuing_subword_prefix {prefix!r}")
    if kind(content.values.get("pre_tokenizer")) != "BertPreTokenizer":
        raise unsupported(content, f"pre_tokenizer {kind(content.values.get('pre_tokenizer'))}")
    first, last = placed_ends(content, vocab)
    added = _added(content)
    return WordPiece(
        **_normalizer(content),
        continuing_subword_prefix=prefix,
        max_input_chars_per_word=model.integer("max_input_chars_per_word"),
        unk_token_id=vocab[unknown],
        decoder_cleanup=_cleanup(content, prefix),
        bos_token_id=first,
        eos_token_id=last,
        add_bos=first is not None,
        add_eos=last is not None,
        vocab=tuple(sorted(vocab, key=vocab.__getitem__)),
        added=tuple(token["id"] for token in added),
        special=tuple(token["id"] for token in added if token.get("special")),
    )


def read_vocabulary(path: Path, config: Settings) -> Settings:
    """Return what the ``tokenizer.json`` of a ``vocab.txt`` would hold: an entry a line, in the order of ids.

    ``config`` is the ``tokenizer_config.json``, for what is not BERT's default.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path.name}: {error}") from None
    if lines[-1] == "":
        lines.pop()
    vocab = {line: place for place, line in enumerate(lines)}
    names = {key: _name(config.values.get(key), default) for key, default in SPECIAL.items()}
    ids = sorted({vocab[name] for name in names.values() if name in vocab})
    lowercase = config.boolean("do_lower_case", True)
    return Settings(
        {
            "added_tokens": [{"id": place, "content": lines[place], "special": True} for place in ids],
            "normalizer": {
                "type": "BertNormalizer",
                "handle_chinese_chars": config.boolean("tokenize_chinese_chars", True),
                "strip_accents": config.boolean("strip_accents", lowercase),
                "lowercase": lowercase,
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {
                "type": "BertProcessing",
                "cls": [names["cls_token"], vocab.get(names["cls_token"])],
                "sep": [names["sep_token"], vocab.get(names["sep_token"])],
            },
            "decoder": {"type": "WordPiece", "prefix": "##"},
            "model": {
                "type": "WordPiece",
                "unk_token": names["unk_token"],
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": vocab,
            },
        },
        path.name,
    )


def _name(value: Any, default: str) -> str:
    name = value.get("content") if isinstance(value, dict) else value
    return name if isinstance(name, str) else default


def _normalizer(content: Settings) -> dict[str, Any]:
    part = content.section("normalizer")
    if kind(part.values) != "BertNormalizer":
        raise unsupported(content, f"normalizer {kind(part.values)}")
    lowercase = part.boolean("lowercase", True)
    return {
        "clean_text": part.boolean("clean_text", True),
        "handle_chinese_chars": part.boolean("handle_chinese_chars", True),
        "strip_accents": part.boolean("strip_accents", lowercase),
        "lowercase": lowercase,
    }


def _added(content: Settings) -> list[dict[str, Any]]:
    """Return the added tokens: special ones are found in the text as it is, others in the normalised text."""
    tokens = added_tokens(content)
    for token in tokens:
        special = bool(token.get("special"))
        if token.get("normalized", not special) == special:
            state = "normalized" if special else "not normalized"
            raise unsupported(content, f"the {'special ' if special else ''}added token {token['content']!r}, {state},")
    return tokens


def _cleanup(content: Settings, prefix: str) -> bool:
    part = content.section("decoder")
    if kind(part.values) != "WordPiece" or part.text("prefix", "##") != prefix:
        raise unsupported(content, f"decoder {kind(part.values)} with this prefix")
    return part.boolean("cleanup", True)
