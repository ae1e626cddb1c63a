"""Reads a byte-level BPE from a ``tokenizer.json``; whatever the format cannot say is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rally.convert.settings import Settings
from rally.modelfile import ModelFileError, Tokenizer


def find_tokenizer(directory: Path, given: Path | None, config: Settings) -> Tokenizer | None:
    """Return the tokenizer at ``given``, or of the folder, or None when it has none."""
    path = given or directory / "tokenizer.json"
    if given is None and not path.is_file():
        return None
    content = Settings.read(path)
    try:
        return read_tokenizer(content, _special_sources(directory, config))
    except (AttributeError, IndexError, KeyError, StopIteration, TypeError) as error:
        raise ModelFileError(f"{path.name}: not the form of a tokenizer.json ({error!r})") from None


def read_tokenizer(content: Settings, sources: list[Settings]) -> Tokenizer:
    """Convert the content of a ``tokenizer.json``.

    ``sources`` are asked, in order, for ``bos_token_id``, ``bos_token`` and the like.
    """
    model = content.section("model")
    _check_model(model, content)
    pre_tokenizer, prefix_space = _pre_tokenizer(content)
    vocab = _vocabulary(content, model)
    merges = _merges(model, vocab)
    added = sorted(content.get("added_tokens", []), key=lambda token: token["id"])
    first, last = _template(content, vocab)
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


def _unsupported(content: Settings, what: str) -> ModelFileError:
    return ModelFileError(f"{content.source}: {what} is not supported")


def _check_model(model: Settings, content: Settings) -> None:
    kind = model.values.get("type", "BPE")
    if kind != "BPE":
        raise _unsupported(content, f"model type {kind}")
    for flag in ("byte_fallback", "ignore_merges", "dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.values.get(flag):
            raise _unsupported(content, flag)
    normalizer = content.values.get("normalizer")
    if normalizer and normalizer != {"type": "Sequence", "normalizers": []}:
        raise _unsupported(content, f"normalizer {_kind(normalizer)}")
    decoder = content.values.get("decoder")
    if decoder and _kind(decoder) != "ByteLevel":
        raise _unsupported(content, f"decoder {_kind(decoder)}")


def _kind(part: Any) -> str:
    return str(part.get("type")) if isinstance(part, dict) else repr(part)


def _pre_tokenizer(content: Settings) -> tuple[str, bool]:
    part = content.values.get("pre_tokenizer")
    steps: list[Any] = [part]
    if isinstance(part, dict) and _kind(part) == "Sequence":
        steps = part.get("pretokenizers", [])
    kinds = [_kind(step) for step in steps]
    if kinds not in (["ByteLevel"], ["Digits", "ByteLevel"]):
        raise _unsupported(content, f"pre_tokenizer {' + '.join(kinds) or 'Sequence'}")
    if len(kinds) == 2 and not steps[0].get("individual_digits", False):
        raise _unsupported(content, "pre_tokenizer Digits without individual_digits")
    level = steps[-1]
    if not level.get("use_regex", True):
        raise _unsupported(content, "pre_tokenizer ByteLevel without use_regex")
    return ("smollm" if len(kinds) == 2 else "gpt2"), bool(level.get("add_prefix_space", True))


def _vocabulary(content: Settings, model: Settings) -> dict[str, int]:
    vocab = dict(model.section("vocab").values)
    for token in content.get("added_tokens", []):
        for flag in ("lstrip", "rstrip", "single_word"):
            if token.get(flag):
                raise _unsupported(content, f"{flag} of the added token {token['content']!r}")
        if vocab.setdefault(token["content"], token["id"]) != token["id"]:
            raise ModelFileError(f"{content.source}: the added token {token['content']!r} has two ids")
    ids = sorted(vocab.values())
    hole = next((place for place, number in enumerate(ids) if place != number), None)
    if hole is not None or not ids:
        raise ModelFileError(f"{content.source}: ids are not 0, 1, 2, …: {hole or 0} is missing or given twice")
    return vocab


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


def _template(content: Settings, vocab: dict[str, int]) -> tuple[int | None, int | None]:
    """Return the tokens that the post-processor puts before and after a text."""
    part = content.values.get("post_processor")
    steps = (
        part.get("processors", []) if isinstance(part, dict) and _kind(part) == "Sequence" else [part] if part else []
    )
    first = last = None
    for step in steps:
        if _kind(step) == "ByteLevel":
            continue
        if _kind(step) != "TemplateProcessing":
            raise _unsupported(content, f"post_processor {_kind(step)}")
        names = [next(iter(piece)) for piece in step["single"]]
        if names.count("Sequence") != 1 or len(names) > 1 + 2:
            raise _unsupported(content, "post_processor TemplateProcessing of this form")
        place = names.index("Sequence")
        if place > 1 or len(names) - place > 2:
            raise _unsupported(content, "post_processor TemplateProcessing with several special tokens on a side")
        tokens = [vocab.get(piece["SpecialToken"]["id"]) for piece in step["single"] if "SpecialToken" in piece]
        if None in tokens:
            raise ModelFileError(f"{content.source}: post_processor adds a token that is not in the vocabulary")
        first = tokens[0] if place == 1 else first
        last = tokens[-1] if place + 1 < len(names) else last
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
