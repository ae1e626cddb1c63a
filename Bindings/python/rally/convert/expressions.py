"""Checks that the engine can run a regular expression: Oniguruma's syntax, as far as published tokenizers use it.

The grammar is that of ``Sources/Tokenization/Expressions``; what it has no word for is named.
"""

from __future__ import annotations

import re

from rally.modelfile import ModelFileError

_SCRIPTS = (
    *("han", "hiragana", "katakana", "hangul", "bopomofo", "latin", "greek", "cyrillic", "arabic", "hebrew"),
    *("devanagari", "bengali", "tamil", "thai", "lao", "khmer", "myanmar", "tibetan", "georgian", "armenian"),
)
_CATEGORIES = (
    *("l", "lu", "ll", "lt", "lm", "lo", "m", "mn", "mc", "me", "n", "nd", "nl", "no", "p", "pc", "pd", "ps", "pe"),
    *("pi", "pf", "po", "s", "sm", "sc", "sk", "so", "z", "zs", "zl", "zp", "c", "cc", "cf", "cs", "co", "cn"),
    *("letter", "uppercaseletter", "lowercaseletter", "titlecaseletter", "modifierletter", "otherletter"),
    *("mark", "nonspacingmark", "spacingmark", "enclosingmark", "number", "decimalnumber", "letternumber"),
    *("othernumber", "punctuation", "symbol", "separator", "other", "control", "format", "whitespace", "space"),
)

#: One part of an expression, outside of brackets.
_PART = re.compile(
    r"\\[pP]\{\^?[A-Za-z _-]+\}|\\x\{[0-9A-Fa-f]{1,6}\}|\\u[0-9A-Fa-f]{4}|\\x[0-7][0-9A-Fa-f]"
    r"|\\[AzZsSdDwWhHrntfv]|\\[^A-Za-z0-9]"
    r"|\(\?:|\(\?i:|\(\?-i:|\(\?=|\(\?!|\(\?>|\(\?<=|\(\?<!|\((?!\?)|\)|\||[.^$]|\[|[^\\()|\[?*+{]",
    re.DOTALL,
)
_QUANTIFIER = re.compile(r"[?*+][?+]?(?![?*+{])|\{(?:\d+(?:,\d*)?|,\d+)\}(?![?*+{])")
_MEMBER = re.compile(
    r"\\[pP]\{\^?[A-Za-z _-]+\}|\\x\{[0-9A-Fa-f]{1,6}\}|\\u[0-9A-Fa-f]{4}|\\x[0-7][0-9A-Fa-f]"
    r"|\\[sSdDwWhHrntfv]|\\[^A-Za-z0-9]|[^\\\[\]]",
    re.DOTALL,
)


def check_expression(text: str, source: str) -> None:
    """Raise an error that names the first part of ``text`` which is not supported."""
    place = 0
    if not text or len(text) > 4096:
        raise ModelFileError(f"{source}: an expression of {len(text)} characters is not supported")
    while place < len(text):
        part = _PART.match(text, place)
        if part is None:
            raise _refusal(text, place, source)
        _check_property(part.group(), text, place, source)
        place = part.end()
        if part.group() == "[":
            place = _bracket_end(text, place - 1, source)
        if (repeat := _QUANTIFIER.match(text, place)) is not None:
            if any(int(number) > 1000 for number in re.findall(r"\d+", repeat.group())):
                raise _refusal(text, place, source)
            place = repeat.end()


def _bracket_end(text: str, place: int, source: str) -> int:
    start = place
    place += 2 if text.startswith("[^", place) else 1
    if text.startswith("]", place):
        raise _refusal(text, start, source)
    while place < len(text) and text[place] != "]":
        if text.startswith("[:", place):
            raise _refusal(text, place, source)
        if text[place] == "[":
            place = _bracket_end(text, place, source)
            continue
        member = _MEMBER.match(text, place)
        if member is None:
            raise _refusal(text, place, source)
        _check_property(member.group(), text, place, source)
        place = member.end()
    if place >= len(text):
        raise _refusal(text, start, source)
    return place + 1


def _check_property(part: str, text: str, place: int, source: str) -> None:
    if part[:2] in ("\\p", "\\P"):
        name = re.sub(r"[ _^-]", "", part[3:-1]).lower()
        if name not in _SCRIPTS and name not in _CATEGORIES:
            raise _refusal(text, place, source)


def _refusal(text: str, place: int, source: str) -> ModelFileError:
    return ModelFileError(
        f"{source}: the expression {text[:60]!r} is not supported at character {place + 1}, "
        f"{text[place : place + 12]!r}; classes, groups, (?i:…), look-ahead and the quantifiers ? * + {{a,b}} are"
    )
