"""Comments of a C file, found by the line of what they are about."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_CONTRACT = re.compile(r"[A-Za-z_][A-Za-z_, ]{0,40}: ")
"""What begins a line of its own: ``Errors: ``, ``tokens, row_offsets: ``."""


def without_comments(text: str) -> str:
    """The text with every comment blanked; all else keeps its line and column."""
    return _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)


class Comments:
    """The comments of `text`. Lines count from 1."""

    def __init__(self, text: str) -> None:
        self._code = without_comments(text).split("\n")
        self._above: dict[int, str] = {}
        self._after: dict[int, str] = {}
        for comment in _COMMENT.finditer(text):
            first = text.count("\n", 0, comment.start()) + 1
            last = first + comment[0].count("\n")
            if self._code[first - 1].strip():
                self._after[first] = _words(comment[0])
            else:
                self._above[last + 1] = _words(comment[0])

    def above(self, line: int) -> str:
        """What ends on the line before; empty where a blank line, or nothing, stands there."""
        return self._above.get(line, "")

    def after(self, line: int) -> str:
        """What begins on this line, after code."""
        return self._after.get(line, "")

    def is_code(self, line: int) -> bool:
        return bool(self._code[line - 1].strip())


def _words(comment: str) -> str:
    """The text without the marks; lines that continue a paragraph are kept apart, and so are indented ones."""
    body = comment.removeprefix("/*").removesuffix("*/")
    lines = [re.sub(r"^\s*\* ?", "", line).rstrip() for line in body.split("\n")]
    lines[0] = lines[0].strip()
    if not any(re.match(r"\s*\*", line) for line in body.split("\n")[1:]):
        lines = [line.strip() for line in lines]
    return "\n".join(lines).strip("\n")


def paragraphs(doc: str) -> list[list[str]]:
    """The blocks of a comment: paragraphs, contracts such as ``Errors: ...``, and what is indented by four or more.

    Every block begins with its kind, "prose" or "code".
    """
    blocks: list[list[str]] = []
    for line in doc.split("\n"):
        kind = "code" if line.startswith("    ") else "prose"
        if not line.strip():
            blocks.append(["end"])
        elif kind == "prose" and _CONTRACT.match(line):
            blocks.append([kind, line])
        elif blocks and blocks[-1][0] == kind:
            blocks[-1].append(line)
        else:
            blocks.append([kind, line])
    return [block for block in blocks if block[0] != "end"]
