"""Where generation ends and how a chat is written: what a checkpoint folder says besides weights and tokenizer."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, LanguageModel, ModelFileError, Pipeline, WordPiece


def with_ends(model: LanguageModel, ends: list[int], template: str | None) -> LanguageModel:
    """Return a language model that ends at these tokens, and with its chat template; without a tokenizer, as it is."""
    tokenizer = model.tokenizer
    if tokenizer is None or isinstance(tokenizer, WordPiece):
        return model
    ends = [number for number in ends if number < model.vocab_size]
    known = ends and tokenizer.eos_token_id not in ends and not tokenizer.add_eos
    if known and ends[0] < len(tokenizer.vocab):
        tokenizer = replace(tokenizer, eos_token_id=ends[0])
    further = tuple(dict.fromkeys(number for number in ends if number != tokenizer.eos_token_id))
    return replace(model, tokenizer=tokenizer, eos_token_ids=further, chat_template=template)


def end_ids(directory: Path | None, config: Settings) -> list[int]:
    """Return the tokens at which transformers would end: a ``generation_config.json`` wins over ``config.json``."""
    if directory is None:
        return listed_ids(config)
    path = directory / "generation_config.json"
    generation = Settings.read(path) if path.is_file() else Settings({}, path.name)
    return listed_ids(generation if "eos_token_id" in generation else config)


def listed_ids(holder: Settings) -> list[int]:
    """Return the end tokens that one configuration names."""
    given: Any = holder.get("eos_token_id", [])
    ids = given if isinstance(given, list) else [given]
    if any(isinstance(number, bool) or not isinstance(number, int) for number in ids):
        raise holder.wrong("eos_token_id", given)
    return [number for number in ids if number >= 0]


def chat_template(folder: Path) -> str | None:
    """Return the Jinja template of a chat, from ``chat_template.jinja`` or ``tokenizer_config.json``, or None.

    Of several templates it is the one called ``default``.
    """
    path = folder / "chat_template.jinja"
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ModelFileError(f"{path.name}: {error}") from None
    path = folder / "tokenizer_config.json"
    config = Settings.read(path) if path.is_file() else Settings({}, path.name)
    given: Any = config.values.get("chat_template")
    if isinstance(given, list):
        named = {one.get("name"): one.get("template") for one in given if isinstance(one, dict)}
        given = named.get("default")
    if given is not None and not isinstance(given, str):
        raise config.wrong("chat_template", given)
    return given or None


def fit_table(tokenizer: AnyTokenizer, rows: int, source: str) -> AnyTokenizer:
    """Return the tokenizer without the added tokens for which the embedding has no row.

    transformers runs such a model as long as no text has the token; here the text is then cut into other tokens.

    Raises
    ------
    ModelFileError
        When a token that is not an added one, or one that every text gets, has no row.
    """
    if len(tokenizer.vocab) <= rows:
        return tokenizer
    beyond = range(rows, len(tokenizer.vocab))
    used = [tokenizer.bos_token_id] * tokenizer.add_bos + [tokenizer.eos_token_id] * tokenizer.add_eos
    if not set(beyond) <= set(tokenizer.added) or set(beyond) & set(used):
        raise ModelFileError(f"{source}: {len(tokenizer.vocab)} tokens, but vocab_size is {rows}")
    names = ", ".join(repr(tokenizer.vocab[number]) for number in beyond[:3])
    print(f"warning: {source}: left out {names}: vocab_size is {rows}, the embedding has no such row", file=sys.stderr)
    bos, eos = (
        number if number is not None and number < rows else None
        for number in (tokenizer.bos_token_id, tokenizer.eos_token_id)
    )
    tokenizer = replace(tokenizer, bos_token_id=bos, eos_token_id=eos)
    if isinstance(tokenizer, Pipeline):
        return tokenizer.cut(rows)
    return replace(
        tokenizer,
        vocab=tokenizer.vocab[:rows],
        added=tuple(number for number in tokenizer.added if number < rows),
        special=tuple(number for number in tokenizer.special if number < rows),
    )
