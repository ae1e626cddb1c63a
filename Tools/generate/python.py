"""The package ``rally._c``: what ctypes has to know, and the codes as enums."""

from __future__ import annotations

import re
import textwrap

from .header import Choice, CType, Header, Signature
from .text import NOTICE, camel, doc_of_struct, sentence, short, wrapped

_WIDTH = 120
_FOLDER = "Bindings/python/rally/_c"
_TYPES = {
    "float": "c_float", "double": "c_double", "size_t": "c_size_t", "char": "c_char",
    "int8_t": "c_int8", "uint8_t": "c_uint8", "int16_t": "c_int16", "uint16_t": "c_uint16",
    "int32_t": "c_int32", "uint32_t": "c_uint32", "int64_t": "c_int64", "uint64_t": "c_uint64",
}  # fmt: skip


def files(header: Header) -> dict[str, str]:
    return {
        f"{_FOLDER}/__init__.py": _module("The C interface (``include/rally.h``) as ctypes sees it.", []),
        f"{_FOLDER}/codes.py": _codes(header),
        f"{_FOLDER}/structs.py": _structs(header),
        f"{_FOLDER}/functions.py": _functions(header),
    }


def _module(summary: str, lines: list[str]) -> str:
    return "\n".join([f'"""{summary}', "", NOTICE, '"""', *lines]) + "\n"


def _docstring(doc: str, indent: str) -> list[str]:
    lines = wrapped(doc.replace("\\", "\\\\"), _WIDTH - len(indent) - 6)
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}".rstrip() for line in lines[1:]), f'{indent}"""']


def _codes(header: Header) -> str:
    lines = ["", "from __future__ import annotations", "", "from enum import IntEnum, unique"]
    for choice in header.choices:
        lines += ["", "", "@unique", f"class {camel(short(choice.name))}(IntEnum):"]
        lines += [*_docstring(sentence(choice.doc) or f"``{choice.name}``.", "    "), *_members(choice)]
    return _module("The numbers with names of the C interface.", lines)


def _members(choice: Choice) -> list[str]:
    lines = []
    if choice.name == "rally_status":
        lines += ["", "    UNKNOWN_STATUS = -1", '    """A code that only a newer library knows."""', ""]
    for constant in choice.constants:
        if constant.heading:
            lines += [
                "",
                *textwrap.wrap(constant.heading, _WIDTH - 6, initial_indent="    # ", subsequent_indent="    # "),
            ]
        elif not lines:
            lines.append("")
        lines.append(f"    {choice.short(constant)} = {constant.value}")
        if constant.doc:
            lines += _docstring(sentence(constant.doc), "    ")
    if choice.name == "rally_status":
        lines += [
            "",
            "    @classmethod",
            "    def _missing_(cls, value: object) -> Status:",
            "        return cls.UNKNOWN_STATUS",
        ]
    return lines


def _type(header: Header, ctype: CType, is_field: bool) -> str:
    """Arrays are addresses: NumPy owns the memory. Only structs and handles have pointer types."""
    name = ctype.name
    if not ctype.pointees:
        text = camel(short(name)) if header.is_callback(name) else "c_int" if header.is_choice(name) else _TYPES[name]
        return f"{text} * {ctype.length}" if ctype.length is not None else text
    if name == "char" and ctype.pointees == (True,):
        return "c_char_p"
    if name == "char" and ctype.pointees == (False, True):
        return "POINTER(c_char_p)"
    if header.is_struct(name) and not is_field:
        return f"POINTER({camel(short(name))})"
    if header.is_handle(name) and ctype.pointees == (False, False):
        return "POINTER(Handle)"
    return "Handle" if header.is_handle(name) else "Address"


def _structs(header: Header) -> str:
    lines = ["", "# Arrays are addresses: NumPy owns the memory, the caller keeps it alive for the length of the call."]
    lines += ["Address = c_void_p", "Handle = c_void_p"]
    for callback in header.callbacks:
        types = [
            _type(header, parameter.type, True).replace("Address", "c_void_p") for parameter in callback.parameters
        ]
        result = "None" if callback.result == CType("void") else _type(header, callback.result, True)
        name = camel(short(callback.name))
        lines += ["", *(f"# {line}".rstrip() for line in wrapped(callback.doc, _WIDTH - 2))]
        lines.append(f"{name} = CFUNCTYPE({', '.join([result, *types])})")
    for struct in header.structs:
        lines += [
            "",
            "",
            f"class {camel(short(struct.name))}(Structure):",
            *_docstring(doc_of_struct(struct), "    "),
            "",
        ]
        lines.append("    _fields_ = [")
        lines += [f'        ("{field.name}", {_type(header, field.type, True)}),' for field in struct.fields]
        lines.append("    ]")
    lines += ["", "", "STRUCTS: dict[str, type[Structure]] = {"]
    lines += [f'    "{struct.name}": {camel(short(struct.name))},' for struct in header.structs]
    lines.append("}")
    imports = _imports(lines, ("CFUNCTYPE", "Structure"))
    return _module("Structs and callbacks of the C interface.", [*imports, *lines])


def _functions(header: Header) -> str:
    lines = ["", "# Functions that return a status and take a `rally_error *` last; that argument is left out here."]
    lines.append("FALLIBLE: dict[str, tuple[Any, ...]] = {")
    for function in filter(header.is_fallible, header.functions):
        lines += _entry(function, [_type(header, parameter.type, False) for parameter in function.parameters[:-1]], "")
    lines += [
        "}",
        "",
        "# All others: what they return, and what they take.",
        "PLAIN: dict[str, tuple[Any, tuple[Any, ...]]] = {",
    ]
    for function in header.functions:
        if not header.is_fallible(function):
            result = "None" if function.result == CType("void") else _type(header, function.result, False)
            lines += _entry(
                function, [_type(header, parameter.type, False) for parameter in function.parameters], result
            )
    lines.append("}")
    own = ["Address", "Handle", *(camel(short(each.name)) for each in [*header.callbacks, *header.structs])]
    used = sorted((name for name in own if any(_has(line, name) for line in lines)), key=_import_order)
    imports = [*_imports(lines, ()), "from typing import Any", "", "from .structs import ("]
    imports += [*(f"    {name}," for name in used), ")"]
    return _module("Functions of the C interface.", [*imports, *lines])


def _entry(function: Signature, types: list[str], result: str) -> list[str]:
    def joined(items: list[str]) -> str:
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"

    value = f"({result}, {joined(types)})" if result else joined(types)
    line = f'    "{function.name}": {value},'
    if len(line) <= _WIDTH:
        return [line]
    return [f'    "{function.name}": (', *(f"        {item}," for item in types), "    ),"]


def _imports(lines: list[str], more: tuple[str, ...]) -> list[str]:
    names = {"POINTER", "c_char_p", "c_int", "c_void_p", *_TYPES.values()}
    used = [name for name in names if any(_has(line, name) for line in lines)]
    ordered = sorted([*used, *more], key=_import_order)
    return [
        "",
        "from __future__ import annotations",
        "",
        "from ctypes import (",
        *(f"    {name}," for name in ordered),
        ")",
    ]


def _has(line: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", line) is not None


def _import_order(name: str) -> tuple[int, str]:
    """As isort has it: constants, classes, the rest."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)
