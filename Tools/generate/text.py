"""Names and prose that every language of the generated files needs."""

from __future__ import annotations

import textwrap

from .comments import paragraphs
from .header import Choice, Constant, Field, Header, Signature, Struct

NOTICE = "Written by `make generate` from include/rally.h: change the header, not this file."


def camel(name: str, first_upper: bool = True) -> str:
    """``run_options`` becomes ``RunOptions``, or ``runOptions``."""
    words = name.lower().split("_")
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return joined if first_upper else joined[:1].lower() + joined[1:]


def short(name: str) -> str:
    """The name without ``rally_``."""
    return name.removeprefix("rally_")


def doc_of_constant(choice: Choice, constant: Constant) -> str:
    return sentence(constant.doc) or f"`{constant.name}`."


def doc_of_field(field: Field) -> str:
    if field.name == "struct_size":
        return "`sizeof` the struct, as its init function sets it."
    return sentence(field.doc) or f"`{field.name}`."


def doc_of_function(header: Header, function: Signature) -> str:
    if function.doc:
        return function.doc
    struct = function.name.removesuffix("_init")
    if not header.is_struct(struct):
        return ""
    return f"Sets every field of a `{struct}` to its default, as `rally_error_init` does."


def doc_of_struct(struct: Struct) -> str:
    return struct.doc or f"`{struct.name}`."


def sentence(text: str) -> str:
    """One line that begins with a capital and ends with a full stop; empty where there is no text."""
    line = " ".join(text.split())
    if not line:
        return ""
    first = line.split(maxsplit=1)[0]
    if first.isalpha() and first.islower():
        line = line[0].upper() + line[1:]
    return line if line[-1] in ".!?:" else line + "."


def wrapped(doc: str, width: int, open_code: str = "", close_code: str = "") -> list[str]:
    """The lines of a doc comment, an empty one between blocks; what is indented keeps its lines, between two marks."""
    lines: list[str] = []
    for kind, *block in paragraphs(doc):
        if lines:
            lines.append("")
        if kind == "code":
            lines += [line for line in [open_code, *(line[4:] for line in block), close_code] if line]
        else:
            prose = " ".join(line.strip() for line in block)
            lines += textwrap.wrap(prose, width, break_long_words=False, break_on_hyphens=False)
    return lines
