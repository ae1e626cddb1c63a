"""What the C boundary in Swift needs: the codes, the layout of the structs, their defaults and their init functions."""

from __future__ import annotations

import textwrap

from .header import CType, Header, Struct
from .text import NOTICE, camel, doc_of_constant

_WIDTH = 120
_FOLDER = "Sources/RallyC/Generated"


def files(header: Header) -> dict[str, str]:
    return {
        f"{_FOLDER}/StructLayouts.swift": _layout(header),
        f"{_FOLDER}/Structs.swift": _structs(header),
        "Sources/Files/RallyError+Code.swift": _codes(header),
    }


def _is_unsafe(header: Header, struct: Struct) -> bool:
    """Whether Swift sees a pointer in it."""
    return any(field.type.pointees or header.is_callback(field.type.name) for field in struct.fields)


def _layout(header: Header) -> str:
    lines = [
        f"// {NOTICE}",
        "",
        "import CRally",
        "",
        "/// Every struct and field of the header, as this library was compiled.",
    ]
    lines += ["func layoutLines() -> [String] {", "  var lines: [String] = []"]
    for struct in header.structs:
        prefix = "unsafe " if _is_unsafe(header, struct) else ""
        lines.append(f'  {prefix}lines += layout("{struct.name}", [')
        lines += [f'    ("{field.name}", \\{struct.name}.{field.name}),' for field in struct.fields]
        lines.append(f"  ] as [(String, PartialKeyPath<{struct.name}>)])")
    return "\n".join([*lines, "  return lines", "}"]) + "\n"


def _structs(header: Header) -> str:
    lines = [f"// {NOTICE}", "", "public import CRally", "import Rally"]
    for struct in header.structs:
        lines += ["", f"extension {struct.name}: SizedStruct {{", *_defaults(header, struct)]
        lines += [f'  static var structName: String {{ "{struct.name}" }}', "}"]
    lines += ["", "// MARK: Initialisers"]
    for function in header.functions:
        if function.name.endswith("_init"):
            lines += [
                "",
                "@c @implementation",
                *_init(function.name, function.parameters[0].name, function.parameters[0].type),
            ]
    return "\n".join(lines) + "\n"


def _defaults(header: Header, struct: Struct) -> list[str]:
    prefix = "unsafe " if _is_unsafe(header, struct) else ""
    named = [field for field in struct.fields if field.default != "0" and not _is_zero(header, field.default)]
    if not named:
        return [f"  static var defaults: Self {{ {prefix}Self() }}"]
    lines = ["  static var defaults: Self {", f"    var value = {prefix}Self()"]
    lines += [f"    {prefix}value.{field.name} = {field.default}" for field in named]
    return [*lines, f"    return {prefix}value", "  }"]


def _is_zero(header: Header, name: str) -> bool:
    return any(
        constant.name == name and not constant.value for choice in header.choices for constant in choice.constants
    )


def _init(name: str, parameter: str, ctype: CType) -> list[str]:
    typed = f"_ {parameter}: UnsafeMutablePointer<{ctype.name}>?, _ size: Int"
    head = f"public func {name}({typed}) {{"
    opening = [head] if len(head) <= _WIDTH else [f"public func {name}(", f"  {typed}", ") {"]
    return [*opening, f"  unsafe {ctype.name}.initialize({parameter}, size)", "}"]


def _codes(header: Header) -> str:
    status = next(choice for choice in header.choices if choice.name == "rally_status")
    lines = [
        f"// {NOTICE}",
        "",
        "extension RallyError {",
        "  /// The status codes of `rally.h`, with the same numbers.",
    ]
    lines.append("  public enum Code: Int32, Sendable, CaseIterable {")
    for constant in status.constants:
        if not constant.value:
            continue
        if constant.heading:
            lines += [*([""] if lines[-1][-1] != "{" else []), f"    // {constant.heading}"]
        if constant.doc:
            doc = doc_of_constant(status, constant)
            lines += textwrap.wrap(doc, _WIDTH, initial_indent="    /// ", subsequent_indent="    /// ")
        lines.append(f"    case {camel(status.short(constant), first_upper=False)} = {constant.value}")
    return "\n".join([*lines, "  }", "}"]) + "\n"
