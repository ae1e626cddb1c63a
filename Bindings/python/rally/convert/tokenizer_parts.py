"""Parts of a ``tokenizer.json`` that all kinds of tokenizers have; what the format cannot say is refused by name."""

from __future__ import annotations

from typing import Any

from rally.convert.settings import Settings
from rally.modelfile import ModelFileError


class UnsupportedError(ModelFileError):
    """A part of a tokenizer that a kind has no words for; another kind may."""


def unsupported(content: Settings, what: str) -> UnsupportedError:
    """Return the error for a part that the format has no words for."""
    return UnsupportedError(f"{content.source}: {what} is not supported")


def kind(part: Any) -> str:
    """Return the type of a part."""
    return str(part.get("type")) if isinstance(part, dict) else repr(part)


def model_type(model: Settings) -> str:
    """Return the type of a model; old files do not name it."""
    found = model.values.get("type")
    if found:
        return str(found)
    if isinstance(model.values.get("vocab"), list):
        return "Unigram"
    return "WordPiece" if "max_input_chars_per_word" in model.values else "BPE"


def added_tokens(content: Settings) -> list[dict[str, Any]]:
    """Return the added tokens in the order of their ids."""
    return sorted(content.get("added_tokens", []), key=lambda token: token["id"])


def vocabulary(content: Settings, model: Settings) -> dict[str, int]:
    """Return the id of every entry, added tokens among them; ids are 0, 1, 2, …"""
    known = dict(model.section("vocab").values)
    for token in content.get("added_tokens", []):
        for flag in ("lstrip", "rstrip", "single_word"):
            if token.get(flag):
                raise unsupported(content, f"{flag} of the added token {token['content']!r}")
    ids, _ = numbered(content, known)
    hole = next((place for place, number in enumerate(sorted(ids.values())) if place != number), None)
    if hole is not None or not ids:
        raise unsupported(content, f"a vocabulary without id {hole or 0}")
    return ids


def numbered(
    content: Settings, known: dict[str, int], count: int | None = None
) -> tuple[dict[str, int], list[tuple[int, dict[str, Any]]]]:
    """Return the id of every entry, and the added tokens with theirs, ascending.

    An added token that the model does not know gets the next id, as the ``tokenizers`` package gives it: a file that
    says another is refused. ``count`` is that of the model's entries, where one stands twice.
    """
    count = len(known) if count is None else count
    if any(type(number) is not int or not 0 <= number < 1 << 31 for number in known.values()):
        raise ModelFileError(f"{content.source}: the vocabulary has an id that is no whole number from 0 on")
    ids, added = dict(known), []
    if len(set(known.values())) != len(known):
        raise ModelFileError(f"{content.source}: the vocabulary gives one id to two entries")
    if max(known.values(), default=0) > 4 * count + (1 << 20):
        raise ModelFileError(
            f"{content.source}: the vocabulary has {count} entries, but an id of {max(known.values())}"
        )
    following = count
    for token in added_tokens(content):
        text = token["content"]
        number = ids.get(text)
        if number is None:
            number, following = following, following + 1
        if number != token["id"]:
            raise ModelFileError(
                f"{content.source}: the added token {text!r} has id {number}, but the file says {token['id']}"
            )
        ids[text] = number
        added.append((number, token))
    if len(set(ids.values())) != len(ids):
        raise ModelFileError(f"{content.source}: an added token has the id of another entry")
    return ids, added


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


def placed_ends(content: Settings, vocab: dict[str, int]) -> tuple[int | None, int | None]:
    """Return the tokens that the post-processor puts before and after a text."""
    part = content.values.get("post_processor")
    steps = (
        part.get("processors", []) if kind(part) == "Sequence" and isinstance(part, dict) else [part] if part else []
    )
    first = last = None
    for step in steps:
        if kind(step) == "ByteLevel":
            continue
        if kind(step) == "TemplateProcessing":
            before, after = template(content, step, vocab)
        elif kind(step) in ("BertProcessing", "RobertaProcessing"):
            ends = (step.get("cls"), step.get("sep"))
            if not all(isinstance(end, list) and len(end) == 2 for end in ends):
                raise ModelFileError(
                    f"{content.source}: post_processor {kind(step)}: not the form of a tokenizer.json: "
                    "expected cls and sep, each a token and its id"
                )
            for name, number in (step["cls"], step["sep"]):
                if number is None or vocab.get(name) != number:
                    raise ModelFileError(
                        f"{content.source}: post_processor adds {name!r}, which is not in the vocabulary"
                    )
            before, after = step["cls"][1], step["sep"][1]
        else:
            raise unsupported(content, f"post_processor {kind(step)}")
        first, last = before if before is not None else first, after if after is not None else last
    return first, last
