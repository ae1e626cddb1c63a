"""Finds the files of a tokenizer and makes of them what a ``tokenizer.json`` would hold, as transformers does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rally.convert.sentencepiece_file import NAMES as SENTENCEPIECE_NAMES
from rally.convert.sentencepiece_file import read_sentencepiece
from rally.convert.settings import Settings
from rally.convert.tokenizer_parts import kind
from rally.convert.wordpiece import read_vocabulary
from rally.modelfile import ModelFileError

#: Tokenizers that are not read.
LEFT_OUT = ("tekken.json", "tokenizer.tiktoken", "vocab.json", "merges.txt", "vocab.txt", "spm.model", "tokenizer.bin")
#: Model types whose ``vocab.txt`` is BERT's.
_BERTS = ("bert", "distilbert", "electra", "mobilebert", "new")
#: Tokenizer classes that read their file and nothing else.
_GENERIC = ("PreTrainedTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend")
#: What a class calls its special tokens.
_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")

_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def tokenizer_content(directory: Path, given: Path | None, config: Settings) -> Settings | None:
    """Return what the ``tokenizer.json`` at ``given`` or of a folder holds, or would hold; None without any.

    ``tokenizer_config.json``, ``added_tokens.json`` and ``special_tokens_map.json`` alongside it are applied.
    """
    folder = given.parent if given else directory
    path = folder / "tokenizer_config.json"
    settings = Settings.read(path) if path.is_file() else Settings({}, path.name)
    content = _read(directory, given, config, settings)
    if content is None:
        return None
    values = json.loads(json.dumps(dict(content.values)))  # a copy to change
    _apply_steps(values, settings)
    _apply_added_tokens(values, folder, settings, content.source)
    _apply_ends(values, settings)
    return Settings(values, content.source)


def _read(directory: Path, given: Path | None, config: Settings, settings: Settings) -> Settings | None:
    if given:
        if given.suffix == ".txt":
            return read_vocabulary(given, settings)
        return read_sentencepiece(given, settings) if given.suffix == ".model" else Settings.read(given)
    if (path := directory / "tokenizer.json").is_file():
        return Settings.read(path)
    if (path := directory / "vocab.txt").is_file() and config.values.get("model_type", "bert") in _BERTS:
        return read_vocabulary(path, settings)
    if (directory / "vocab.json").is_file() and (directory / "merges.txt").is_file():
        return _byte_level(directory, settings)
    for name in SENTENCEPIECE_NAMES:
        if (path := directory / name).is_file():
            return read_sentencepiece(path, settings)
    return None


def _byte_level(directory: Path, settings: Settings) -> Settings:
    """Read GPT-2's two files."""
    vocab = Settings.read(directory / "vocab.json").values
    try:
        lines = (directory / "merges.txt").read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise ModelFileError(f"merges.txt: {error}") from None
    merges = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    level = {"type": "ByteLevel", "add_prefix_space": settings.boolean("add_prefix_space", False), "use_regex": True}
    flags = dict.fromkeys(_FLAGS, False) | {"special": True}
    # The class adds its one special token, where the files name none.
    end = _text(settings.values.get("eos_token")) or "<|endoftext|>"
    added = [{"id": vocab[end], "content": end} | flags] if end in vocab else []
    return Settings(
        {
            "added_tokens": added,
            "pre_tokenizer": level,
            "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "vocab": dict(vocab), "merges": merges},
        },
        "vocab.json",
    )


def _text(value: Any) -> str | None:
    """Return a token that is given as a text or as an object."""
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


# What the other files change.


def _apply_steps(values: dict[str, Any], settings: Settings) -> None:
    """Lay ``do_lower_case`` and the like over the steps; the generic classes do not."""
    if settings.values.get("tokenizer_class") in _GENERIC:
        return
    names = {
        "do_lower_case": "lowercase",
        "tokenize_chinese_chars": "handle_chinese_chars",
        "strip_accents": "strip_accents",
    }
    normalizer = values.get("normalizer")
    if kind(normalizer) == "BertNormalizer" and isinstance(normalizer, dict):
        for name, own in names.items():
            if isinstance(settings.values.get(name), bool):
                normalizer[own] = settings.values[name]
    prefix = settings.values.get("add_prefix_space")
    part = values.get("pre_tokenizer")
    for step in part.get("pretokenizers", [part]) if isinstance(part, dict) else []:
        if kind(step) == "ByteLevel" and isinstance(prefix, bool):
            step["add_prefix_space"] = prefix


def _apply_added_tokens(values: dict[str, Any], folder: Path, settings: Settings, source: str) -> None:
    """Add the tokens that only the other files name, and take over their flags."""
    added = values.setdefault("added_tokens", None) or []
    values["added_tokens"] = added
    by_text = {token["content"]: token for token in added}
    vocab = values["model"]["vocab"]
    known = {piece[0]: place for place, piece in enumerate(vocab)} if isinstance(vocab, list) else vocab
    numbers = [token["id"] for token in added]

    def add(text: str, flags: dict[str, bool], number: int | None) -> None:
        if text in by_text:
            by_text[text].update(flags)
            return
        place = known.get(text)
        if place is None:
            place = max([len(known) - 1, *numbers]) + 1
        if number is not None and number != place:
            raise ModelFileError(
                f"{source}: the added token {text!r} would get id {place}, but another file says {number}"
            )
        by_text[text] = {"id": place, "content": text} | dict.fromkeys(_FLAGS, False) | flags
        added.append(by_text[text])
        numbers.append(place)

    decoder = settings.values.get("added_tokens_decoder")
    legacy = _legacy_tokens(folder) if decoder is None else []
    named = dict(settings.values)
    if decoder is None:
        named |= _special_map(folder)
    special = {text for name in _NAMED if (text := _text(named.get(name)))}
    extra = named.get("additional_special_tokens") or named.get("extra_special_tokens") or []
    special |= {text for value in (extra.values() if isinstance(extra, dict) else extra) if (text := _text(value))}
    for number, token in sorted((int(number), token) for number, token in (decoder or {}).items()):
        flags = {name: bool(token.get(name)) for name in _FLAGS if name in token}
        add(token["content"], flags, number)
    for text, number in legacy:
        if text not in by_text:
            add(text, {"special": text in special, "normalized": text not in special}, number)
    for text in sorted(special):
        # A name that no file gives an id is a token that no text of this model has.
        if text not in by_text and (text in known or decoder is not None):
            add(text, {"special": True}, None)
    added.sort(key=lambda token: token["id"])


def _legacy_tokens(folder: Path) -> list[tuple[str, int]]:
    path = folder / "added_tokens.json"
    if not path.is_file():
        return []
    numbers = Settings.read(path)
    return sorted(((text, numbers.integer(text, minimum=0)) for text in numbers.values), key=lambda pair: pair[1])


def _special_map(folder: Path) -> dict[str, Any]:
    path = folder / "special_tokens_map.json"
    return dict(Settings.read(path).values) if path.is_file() else {}


def _apply_ends(values: dict[str, Any], settings: Settings) -> None:
    """Put ``add_bos_token`` and ``add_eos_token`` into the template, where the configuration has them."""
    wanted = {name: settings.values.get(f"add_{name}_token") for name in ("bos", "eos")}
    if not any(isinstance(value, bool) for value in wanted.values()):
        return
    part = values.get("post_processor")
    steps = part["processors"] if isinstance(part, dict) and kind(part) == "Sequence" else [part] if part else []
    templates = [step for step in steps if kind(step) == "TemplateProcessing"]
    if len(templates) > 1 or any(kind(step) not in ("TemplateProcessing", "ByteLevel") for step in steps):
        return
    single = templates[0]["single"] if templates else [{"Sequence": {"id": "A", "type_id": 0}}]
    place = next(place for place, piece in enumerate(single) if "Sequence" in piece)
    sides = {"bos": single[:place], "eos": single[place + 1 :]}
    for name, value in wanted.items():
        token = _text(settings.values.get(f"{name}_token"))
        if value is True and token:
            sides[name] = [{"SpecialToken": {"id": token, "type_id": 0}}]
        elif value is False:
            sides[name] = []
    pieces = [*sides["bos"], single[place], *sides["eos"]]
    values["post_processor"] = {"type": "TemplateProcessing", "single": pieces} if len(pieces) > 1 else None
