"""Parts of a ``tokenizer.json`` that all kinds of tokenizers have; what the format cannot say is refused by name."""

from __future__ import annotations

from typing import Any

from rally.convert.settings import Settings
from rally.modelfile import ModelFileError


def unsupported(content: Settings, what: str) -> ModelFileError:
    """Return the error for a part that the format has no words for."""
    return ModelFileError(f"{content.source}: {what} is not supported")


def kind(part: Any) -> str:
    """Return the type of a part."""
    return str(part.get("type")) if isinstance(part, dict) else repr(part)


def added_tokens(content: Settings) -> list[dict[str, Any]]:
    """Return the added tokens in the order of their ids."""
    return sorted(content.get("added_tokens", []), key=lambda token: token["id"])


def vocabulary(content: Settings, model: Settings) -> dict[str, int]:
    """Return the id of every entry, added tokens among them; ids are 0, 1, 2, …"""
    vocab = dict(model.section("vocab").values)
    for token in content.get("added_tokens", []):
        for flag in ("lstrip", "rstrip", "single_word"):
            if token.get(flag):
                raise unsupported(content, f"{flag} of the added token {token['content']!r}")
        if vocab.setdefault(token["content"], token["id"]) != token["id"]:
            raise ModelFileError(f"{content.source}: the added token {token['content']!r} has two ids")
    ids = sorted(vocab.values())
    hole = next((place for place, number in enumerate(ids) if place != number), None)
    if hole is not None or not ids:
        raise ModelFileError(f"{content.source}: ids are not 0, 1, 2, …: {hole or 0} is missing or given twice")
    return vocab


def template(content: Settings, step: dict[str, Any], vocab: dict[str, int]) -> tuple[int | None, int | None]:
    """Return the tokens that a ``TemplateProcessing`` puts before and after a text."""
    names = [next(iter(piece)) for piece in step["single"]]
    if names.count("Sequence") != 1 or len(names) > 1 + 2:
        raise unsupported(content, "post_processor TemplateProcessing of this form")
    place = names.index("Sequence")
    if place > 1 or len(names) - place > 2:
        raise unsupported(content, "post_processor TemplateProcessing with several special tokens on a side")
    tokens = [vocab.get(piece["SpecialToken"]["id"]) for piece in step["single"] if "SpecialToken" in piece]
    if None in tokens:
        raise ModelFileError(f"{content.source}: post_processor adds a token that is not in the vocabulary")
    return tokens[0] if place == 1 else None, tokens[-1] if place + 1 < len(names) else None
