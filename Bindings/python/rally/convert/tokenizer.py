"""Reads the tokenizer of a checkpoint: the plainest kind that says everything of its ``tokenizer.json``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rally.convert.settings import Settings
from rally.convert.tokenizer_files import LEFT_OUT, tokenizer_content
from rally.convert.tokenizer_parts import (
    UnsupportedError,
    added_tokens,
    kind,
    model_type,
    placed_ends,
    unsupported,
    vocabulary,
)
from rally.convert.tokenizer_pipeline import read_pipeline
from rally.convert.wordpiece import read_wordpiece
from rally.modelfile import AnyTokenizer, ModelFileError, Tokenizer


def find_tokenizer(directory: Path, given: Path | None, config: Settings) -> AnyTokenizer | None:
    """Return the tokenizer at ``given``, or of the folder, or None when it has none.

    ``tokenizer.json`` counts first, then what older checkpoints have: ``vocab.txt`` of a BERT, ``vocab.json`` with
    ``merges.txt``, and a SentencePiece model. ``tokenizer_config.json`` is applied as transformers applies it. Of a
    folder with files of another kind a warning names them.
    """
    try:
        content = tokenizer_content(directory, given, config)
        if content is None:
            left = [name for name in LEFT_OUT if (directory / name).is_file()]
            if left:
                print(
                    f"warning: the model gets no tokenizer: {', '.join(left)} cannot be read; give a tokenizer.json",
                    file=sys.stderr,
                )
            return None
        return read_content(content, _special_sources(directory, config))
    except (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError) as error:
        name = (given or directory / "tokenizer.json").name
        raise ModelFileError(f"{name}: not the form of a tokenizer.json ({error!r})") from None


def read_content(content: Settings, sources: list[Settings]) -> AnyTokenizer:
    """Convert the content of a ``tokenizer.json`` to the plainest kind that has words for all of it."""
    name = model_type(content.section("model"))
    try:
        if name == "WordPiece":
            return read_wordpiece(content)
        if name == "BPE":
            return read_tokenizer(content, sources)
    except UnsupportedError:
        pass
    found = read_pipeline(content)
    ids = {text: number for number, text in enumerate(found.vocab)}
    bos, eos = _special_ids(content, sources, ids, found.bos_token_id, found.eos_token_id)
    return replace(found, bos_token_id=bos, eos_token_id=eos)


def read_tokenizer(content: Settings, sources: list[Settings]) -> Tokenizer:
    """Convert the content of a ``tokenizer.json`` with a byte-level BPE of the GPT-2 family.

    ``sources`` are asked, in order, for ``bos_token_id``, ``bos_token`` and the like.
    """
    model = content.section("model")
    pre_tokenizer, prefix_space = _pre_tokenizer(content)
    vocab = vocabulary(content, model)
    _check_model(model, content, vocab)
    merges = _merges(model, vocab)
    added = added_tokens(content)
    _check_added(content, added)
    first, last = placed_ends(content, vocab)
    bos, eos = _special_ids(content, sources, vocab, first, last)
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


def _check_model(model: Settings, content: Settings, vocab: dict[str, int]) -> None:
    for flag in ("byte_fallback", "ignore_merges", "dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.values.get(flag):
            raise unsupported(content, flag)
    normalizer = content.values.get("normalizer")
    if normalizer and normalizer != {"type": "Sequence", "normalizers": []}:
        raise unsupported(content, f"normalizer {kind(normalizer)}")
    decoder = content.values.get("decoder")
    if decoder and kind(decoder) != "ByteLevel":
        raise unsupported(content, f"decoder {kind(decoder)}")
    # Without a lacking byte the unknown token does not occur.
    if model.values.get("unk_token") is not None and not all(letter in vocab for letter in byte_alphabet()):
        raise unsupported(content, "unk_token")


def byte_alphabet() -> list[str]:
    """Return the characters of GPT-2's byte-level vocabularies, by the bytes they stand for."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x144))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


def _check_added(content: Settings, added: list[dict[str, Any]]) -> None:
    """Special tokens are found before the others: right only where those of each kind are searched for together."""
    mixed = [t["content"] for t in added if bool(t.get("special")) == bool(t.get("normalized", not t.get("special")))]
    for text in mixed:
        for other in (token["content"] for token in added):
            ends = any(text.endswith(other[:end]) or other.endswith(text[:end]) for end in range(1, len(other)))
            if text != other and (ends or text in other or other in text):
                raise unsupported(content, f"the added token {text!r} alongside {other!r}")


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


def _special_ids(
    content: Settings, sources: list[Settings], vocab: dict[str, int], first: int | None, last: int | None
) -> tuple[int | None, int | None]:
    """Return the beginning and end tokens: of a language model those that its files name, else those that are added."""
    bos, eos = _special_id(sources, "bos", vocab, first), _special_id(sources, "eos", vocab, last)
    generates = any("CausalLM" in str(name) for name in sources[0].values.get("architectures") or ["CausalLM"])
    for name, placed, found in (("bos", first, bos), ("eos", last, eos)):
        if generates and placed is not None and placed != found:
            raise ModelFileError(
                f"{content.source}: post_processor adds token {placed}, but {name}_token_id is {found}"
            )
    return (bos, eos) if generates else (bos if first is None else first, eos if last is None else last)


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
