"""The crate rally-sys, in the layout that rustfmt leaves as it is."""

from __future__ import annotations

import re

from .header import CType, Header, Signature
from .text import NOTICE, camel, doc_of_constant, doc_of_field, doc_of_function, doc_of_struct, sentence, wrapped

_WIDTH = 120
_TYPES = {
    "void": "c_void", "char": "c_char", "float": "f32", "double": "f64", "size_t": "usize",
    "int8_t": "i8", "uint8_t": "u8", "int16_t": "i16", "uint16_t": "u16",
    "int32_t": "i32", "uint32_t": "u32", "int64_t": "i64", "uint64_t": "u64",
}  # fmt: skip
_KEYWORDS = {"type", "match", "ref", "move", "use", "in", "fn", "loop", "where", "self"}


def files(header: Header) -> dict[str, str]:
    sys = "Bindings/rust/rally-sys"
    return {
        f"{sys}/src/codes.rs": _codes(header),
        f"{sys}/src/handles.rs": _handles(header),
        f"{sys}/src/structs.rs": _structs(header),
        f"{sys}/src/functions.rs": _functions(header),
        f"{sys}/tests/layout/declared.rs": _layout(header),
        "Bindings/rust/rally/src/codes.rs": _error_codes(header),
    }


def _doc(text: str, indent: str = "") -> list[str]:
    """A doc comment. Brackets and angles would be links and tags, indented lines programs to test."""
    lines = wrapped(text, _WIDTH - len(indent) - 4, "```text", "```")
    is_code, out = False, []
    for line in lines:
        if line.startswith("```"):
            is_code = not is_code
        elif not is_code:
            line = re.sub(r"`[^`]*`|[\[\]<>*]", lambda part: part[0] if part[0][0] == "`" else "\\" + part[0], line)
        out.append(f"{indent}/// {line}".rstrip())
    return out


def _type(ctype: CType) -> str:
    text = _TYPES.get(ctype.name, ctype.name)
    for is_const in reversed(ctype.pointees):
        text = f"*{'const' if is_const else 'mut'} {text}"
    return f"[{text}; {ctype.length}]" if ctype.length is not None else text


def _name(name: str) -> str:
    return f"r#{name}" if name in _KEYWORDS else name


def _uses(lines: list[str], modules: tuple[str, ...] = ()) -> list[str]:
    text = "\n".join(lines)
    found = [name for name in ("c_char", "c_void") if re.search(rf"\b{name}\b", text)]
    ffi = f"use std::ffi::{{{', '.join(found)}}};" if len(found) > 1 else f"use std::ffi::{found[0]};" if found else ""
    return [*(f"use crate::{module}::*;" for module in modules), *([ffi] if ffi else []), ""]


def _signature(signature: Signature, head: str, tail: str, indent: str) -> list[str]:
    parameters = [f"{_name(parameter.name)}: {_type(parameter.type)}" for parameter in signature.parameters]
    result = "" if signature.result == CType("void") else f" -> {_type(signature.result)}"
    line = f"{indent}{head}({', '.join(parameters)}){result}{tail}"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{indent}{head}(", *(f"{indent}    {parameter}," for parameter in parameters), f"{indent}){result}{tail}"]


def _codes(header: Header) -> str:
    lines = ["//! Numbers with names: statuses and choices.", "//!", f"//! {NOTICE}"]
    for choice in header.choices:
        lines += ["", *_doc(choice.doc or sentence(choice.name)), f"pub type {choice.name} = i32;"]
        for constant in choice.constants:
            lines += _doc(doc_of_constant(choice, constant))
            lines.append(f"pub const {constant.name}: {choice.name} = {constant.value};")
    return "\n".join(lines) + "\n"


def _handles(header: Header) -> str:
    lines = []
    for handle in header.handles:
        lines += [*_doc(handle.doc or sentence(handle.name)), "#[repr(C)]", f"pub struct {handle.name} {{"]
        lines += ["    _private: [u8; 0],", "}", ""]
    for callback in header.callbacks:
        lines += _doc(callback.doc)
        function = _signature(callback, 'unsafe extern "C" fn', "", "")
        head = f"pub type {callback.name} ="
        if len(function) == 1 and len(f"{head} Option<{function[0]}>;") <= _WIDTH:
            lines.append(f"{head} Option<{function[0]}>;")
        else:
            lines += [head, f"    Option<{''.join(function)}>;"]
    head = ["//! What the library hands out, and what it calls back.", "//!", f"//! {NOTICE}", ""]
    return "\n".join([*head, *_uses(lines, ("codes", "structs")), *lines]) + "\n"


def _structs(header: Header) -> str:
    lines = []
    for struct in header.structs:
        lines += [
            "",
            *_doc(doc_of_struct(struct)),
            "#[repr(C)]",
            "#[derive(Clone, Copy)]",
            f"pub struct {struct.name} {{",
        ]
        for field in struct.fields:
            lines += [*_doc(doc_of_field(field), "    "), f"    pub {_name(field.name)}: {_type(field.type)},"]
        lines.append("}")
    head = ["//! The structs, each as the header has it.", "//!", f"//! {NOTICE}", ""]
    return "\n".join([*head, *_uses(lines, ("codes", "handles")), *lines[1:]]) + "\n"


def _functions(header: Header) -> str:
    lines = []
    for function in header.functions:
        lines += _doc(doc_of_function(header, function), "    ")
        lines += _signature(function, f"pub fn {function.name}", ";", "    ")
    head = ["//! The functions, in the order of the header.", "//!", f"//! {NOTICE}", ""]
    return "\n".join([*head, *_uses(lines, ("codes", "handles", "structs")), 'extern "C" {', *lines, "}"]) + "\n"


def _layout(header: Header) -> str:
    """The structs and fields for the test that compares them with the library's."""
    lines = [f"// {NOTICE}", "layout! {"]
    for struct in header.structs:
        lines += [f"    {struct.name} {{", *(f"        {_name(field.name)}," for field in struct.fields), "    }"]
    return "\n".join([*lines, "}"]) + "\n"


def _error_codes(header: Header) -> str:
    """The enum of the crate rally: an error is one of these."""
    status = next(choice for choice in header.choices if choice.name == "rally_status")
    failures = [(camel(status.short(constant)), constant) for constant in status.constants if constant.value]
    lines = [f"// {NOTICE}", "", "/// The kinds of failure.", "#[non_exhaustive]"]
    lines += ["#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]", "pub enum Code {"]
    for name, constant in failures:
        lines += [*_doc(doc_of_constant(status, constant), "    "), f"    {name},"]
    lines += ["    /// One that a newer library added.", "    Other(i32),", "}", "", "impl Code {"]
    lines += [f"    pub(crate) fn from_status(status: rally_sys::{status.name}) -> Self {{", "        match status {"]
    lines += [f"            rally_sys::{constant.name} => Code::{name}," for name, constant in failures]
    lines += ["            other => Code::Other(other),", "        }", "    }", "}"]
    return "\n".join(lines) + "\n"
