"""``python -m generate.page`` writes the header as a page: its text, with a place and a link for each name."""

from __future__ import annotations

import re
import sys
from html import escape

from .derived import ROOT
from .header import Header, parse

_NAME = re.compile(r"\b(?:rally|RALLY)_\w+")
_STYLE = (
    "body{margin:2em auto;max-width:100ch;padding:0 1em;font:16px/1.5 system-ui,sans-serif}"
    "pre{font-size:14px;line-height:1.4;overflow-x:auto}ul{columns:28ch;list-style:none;padding:0;font-family:monospace}"
    "a{color:inherit}:target{outline:2px solid}"
)


def names(header: Header) -> list[str]:
    """What programs write: functions and types."""
    return [one.name for one in (*header.functions, *header.structs, *header.choices, *header.callbacks)]


def page(text: str) -> str:
    """The page of a header's text."""
    known = sorted(names(parse(text)))
    places = {name: _place(text, name) for name in known}

    def linked(match: re.Match[str]) -> str:
        name = match[0]
        if name not in places:
            return name
        if match.start() == places[name]:
            return f'<b id="{name}">{name}</b>'
        return f'<a href="#{name}">{name}</a>'

    parts, end = [], 0
    for match in _NAME.finditer(text):
        parts += [escape(text[end : match.start()]), linked(match)]
        end = match.end()
    body = "".join([*parts, escape(text[end:])])
    index = "\n".join(f'<li><a href="#{name}">{name}</a>' for name in known)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>rally.h</title><style>{_STYLE}</style>\n'
        f"<h1>rally.h</h1>\n<ul>\n{index}\n</ul>\n<pre>{body}</pre>\n</html>\n"
    )


def _place(text: str, name: str) -> int:
    """Where a name is declared: the end of its struct, its own line of a function, or else where it first stands."""
    declared = re.search(
        rf"^(?:\}} ?{name};|[a-z][\w *]*\b{name}\(|typedef [^\n]*\b{name}\)?\b[^\n]*;)", text, re.MULTILINE
    )
    start = declared.start() if declared else 0
    return text.index(name, start)


if __name__ == "__main__":
    sys.stdout.write(page((ROOT / "include" / "rally.h").read_text(encoding="utf-8")))
