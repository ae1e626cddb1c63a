"""Reads the tokenizer of a checkpoint; a byte-level BPE here, BERT's in ``wordpiece``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rally.convert.settings import Settings
from rally.convert.tokenizer_parts import added_tokens, kind, template, unsupported, vocabulary
from rally.convert.wordpiece import read_vocabulary, read_wordpiece
from rally.modelfile import ModelFileError, Tokenizer, WordPiece

#: Files looked for, in this order.
FILES = ("tokenizer.json", "vocab.txt")


def find_tokenizer(directory: Path, given: Path | None, config: Settings) -> Tokenizer | WordPiece | None:
    """Return the tokenizer at ``given``, or of the folder, or None when it has none.

    The ``vocab.txt`` of a BERT counts when it has no ``tokenizer.json``.
    """
    names = FILES if config.values.get("model_type", "bert") == "bert" else FILES[:1]
    path = given or next((path for name in names if (path := directory / name).is_file()), None)
    if path is None:
        return None
    try:
        content = _content(path)
        if content.section("model").values.get("type") == "WordPiece":
            return read_wordpiece(content)
        return read_tokenizer(content, _special_sources(directory, config))
    except (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError) as error:
        raise ModelFileError(f"{path.name}: not the form of a tokenizer.json ({error!r})") from None


def _content(path: Path) -> Settings:
    if path.suffix != ".txt":
        return Settings.read(path)
    config = path.with_name("tokenizer_config.json")
    return read_vocabulary(path, Settings.read(config) if config.is_file() else Settings({}, config.name))


def read_tokenizer(content: Settings, sources: list[Settings]) -> Tokenizer:
    """Convert the content of a ``tokenizer.json``.

    ``sources`` are asked, in order, for ``bos_token_id``, ``bos_token`` and the like.
    """
    model = content.section("model")
    _check_model(model, content)
    pre_tokenizer, prefix_space = _pre_tokenizer(content)
    vocab = vocabulary(content, model)
    merges = _merges(model, vocab)
    added = added_tokens(content)
    first, last = _ends(content, vocab)
    bos, eos = _special_id(sources, "bos", vocab, first), _special_id(sources, "eos", vocab, last)
    for name, placed, found in (("bos", first, bos), ("eos", last, eos)):
        if placed is not None and placed != found:
            raise ModelFileError(
                f"{content.source}: post_processor adds token {placed}, but {name}_token_id is {found}"
            )
    return Tokenizer(
        pre_tokenizer=pre_tokenizer,
        add_prefix_space=prefix_space,
        bos_token_id=bos,
        eos_token_id=eos,
        add_bos=first is not None,
        add_eos=last is not None,
        vocab=tuple(sorted(vocab, key=vocab.__getitem__)),
        merges=merges,
        added=tuple(token["id"] for token in added),
        special=tuple(token["id"] for token in added if token.get("special")),
    )


def _special_sources(directory: Path, config: Settings) -> list[Settings]:
    files = [directory / name for name in ("generation_config.json", "tokenizer_config.json")]
    return [config, *(Settings.read(path) for path in files if path.is_file())]


def _check_model(model: Settings, content: Settings) -> None:
    if model.values.get("type", "BPE") != "BPE":
        raise unsupported(content, f"model type {kind(model.values)}")
    for flag in ("byte_fallback", "ignore_merges", "dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.values.get(flag):
            raise unsupported(content, flag)
    normalizer = content.values.get("normalizer")
    if normalizer and normalizer != {"type": "Sequence", "normalizers": []}:
        raise unsupported(content, f"normalizer {kind(normalizer)}")
    decoder = content.values.get("decoder")
    if decoder and kind(decoder) != "ByteLevel":
        raise unsupported(content, f"decoder {kind(decoder)}")


def _pre_tokenizer(content: Settings) -> tuple[str, bool]:
    part = content.values.get("pre_tokenizer")
    steps: list[Any] = [part]
    if isinstance(part, dict) and kind(part) == "Sequence":
        steps = part.get("pretokenizers", [])
    kinds = [kind(step) for step in steps]
    if kinds not in (["ByteLevel"], ["Digits", "ByteLevel"]):
        raise unsupported(content, f"pre_tokenizer {' + '.join(kinds) or 'Sequence'}")
    if len(kinds) == 2 and not steps[0].get("individual_digits", False):
        raise unsupported(content, "pre_tokenizer Digits without individual_digits")
    level = steps[-1]
    if not level.get("use_regex", True):
        raise unsupported(content, "pre_tokenizer ByteLevel without use_regex")
    return ("smollm" if len(kinds) == 2 else "gpt2"), bool(level.get("add_prefix_space", True))


def _merges(model: Settings, vocab: dict[str, int]) -> tuple[str, ...]:
    merges = []
    for rank, merge in enumerate(model.get("merges", [])):
        pair = merge.split(" ") if isinstance(merge, str) else list(merge)
        if len(pair) != 2 or any(" " in part for part in pair):
            raise ModelFileError(f"{model.source}: merge {rank} is no pair: {merge!r}")
        unknown = [token for token in (*pair, "".join(pair)) if token not in vocab]
        if unknown:
            raise ModelFileError(f"{model.source}: merge {rank} needs {unknown[0]!r}, which is not in the vocabulary")
        merges.append(" ".join(pair))
    return tuple(merges)


def _ends(content: Settings, vocab: dict[str, int]) -> tuple[int | None, int | None]:
    """Return the tokens that the post-processor puts before and after a text."""
    part = content.values.get("post_processor")
    steps = (
        part.get("processors", []) if isinstance(part, dict) and kind(part) == "Sequence" else [part] if part else []
    )
    first = last = None
    for step in steps:
        if kind(step) == "ByteLevel":
            continue
        if kind(step) != "TemplateProcessing":
            raise unsupported(content, f"post_processor {kind(step)}")
        before, after = template(content, step, vocab)
        first, last = before if before is not None else first, after if after is not None else last
    return first, last


def _special_id(sources: list[Settings], name: str, vocab: dict[str, int], placed: int | None) -> int | None:
    """Return the id of the beginning or end token: the first that a source names; of several, the one that is added."""
    for source in sources:
        number = source.values.get(f"{name}_token_id")
        if isinstance(number, list) and number:
            number = placed if placed in number else number[0]
        if isinstance(number, int) and 0 <= number < len(vocab):
            return number
        token = source.values.get(f"{name}_token")
        token = token.get("content") if isinstance(token, dict) else token
        if token in vocab:
            return vocab[token]
    return placed
