"""The header as data: its constants, choices, structs, callbacks and functions, each with the comment next to it.

pycparser knows the grammar of C, but no comments and no preprocessor. Comments are taken out beforehand and found again
by line: what stands right above a declaration, or after it on its line, is about that declaration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pycparser import c_ast, c_parser

from .comments import Comments, without_comments

# What <stddef.h> and <stdint.h> declare, as far as the header may use it.
STANDARD_TYPES = ("size_t", "int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t")
_DEFAULT = re.compile(r"(\S+) \(default\)")


class HeaderError(Exception):
    """The header declares something that the generator has no rule for."""


@dataclass(frozen=True)
class CType:
    """A type: its name, what is between it and the value, and the length of an array."""

    name: str
    pointees: tuple[bool, ...] = ()
    """For each pointer, the outermost first: whether what it points to is const."""
    length: int | None = None


@dataclass(frozen=True)
class Constant:
    name: str
    value: int
    doc: str
    heading: str
    """A comment on lines of its own above: what this constant and the next ones are about."""


@dataclass(frozen=True)
class Choice:
    """An enum."""

    name: str
    constants: tuple[Constant, ...]
    doc: str

    def short(self, constant: Constant) -> str:
        """The constant's name without what all of them begin with: ``TOPK`` of ``RALLY_SELECT_TOPK``."""
        return constant.name.removeprefix(self.prefix)

    @property
    def prefix(self) -> str:
        names = [constant.name for constant in self.constants]
        shared = 0
        while all(name[: shared + 1] == names[0][: shared + 1] and shared < len(name) for name in names):
            shared += 1
        return names[0][: names[0].rfind("_", 0, shared) + 1]


@dataclass(frozen=True)
class Field:
    name: str
    type: CType
    doc: str = ""
    default: str = "0"
    """A number or a constant of the header, from the words ``VALUE (default)`` in the field's comment."""


@dataclass(frozen=True)
class Struct:
    name: str
    fields: tuple[Field, ...]
    doc: str


@dataclass(frozen=True)
class Signature:
    """A function, or the type of a callback."""

    name: str
    result: CType
    parameters: tuple[Field, ...]
    doc: str


@dataclass
class Header:
    version: str = ""
    handles: list[Signature] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    structs: list[Struct] = field(default_factory=list)
    callbacks: list[Signature] = field(default_factory=list)
    functions: list[Signature] = field(default_factory=list)

    def is_choice(self, name: str) -> bool:
        return any(choice.name == name for choice in self.choices)

    def is_struct(self, name: str) -> bool:
        return any(struct.name == name for struct in self.structs)

    def is_callback(self, name: str) -> bool:
        return any(callback.name == name for callback in self.callbacks)

    def is_handle(self, name: str) -> bool:
        return any(handle.name == name for handle in self.handles)

    def is_opened_by_callers(self, struct: Struct) -> bool:
        """Whether there is an init function: callers make the struct themselves."""
        return any(function.name == f"{struct.name}_init" for function in self.functions)

    def is_fallible(self, function: Signature) -> bool:
        last = function.parameters[-1].type if function.parameters else None
        return function.result == CType("rally_status") and last == CType("rally_error", (False,))


def parse(text: str) -> Header:
    """Reads the text of a header.

    Raises
    ------
    HeaderError
        It declares what the generator has no rule for.
    """
    comments = Comments(text)
    header = Header(version=_version(text))
    prelude = " ".join(f"typedef int {name};" for name in STANDARD_TYPES)
    tree = c_parser.CParser().parse(prelude + "\n#line 1\n" + _without_directives(without_comments(text)), "rally.h")
    for node in tree.ext[len(STANDARD_TYPES) :]:
        _add(header, node, comments)
    return header


def _version(text: str) -> str:
    parts = dict(re.findall(r"^#define RALLY_VERSION_(MAJOR|MINOR|PATCH) (\d+)$", text, re.M))
    return ".".join(parts.get(name, "0") for name in ("MAJOR", "MINOR", "PATCH"))


def _without_directives(text: str) -> str:
    """Leaves out directives, and what only C++ sees."""
    text = re.sub(r"#ifdef __cplusplus\n.*?#endif", lambda block: "\n" * block[0].count("\n"), text, flags=re.S)
    return re.sub(r"^#.*$", "", text, flags=re.M)


def _add(header: Header, node: c_ast.Node, comments: Comments) -> None:
    line = _first_line(node)
    doc = comments.above(line)
    if isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
        header.functions.append(_signature(node.name, node.type, doc or _doc_of_family(header, line, comments)))
        return
    if not isinstance(node, c_ast.Typedef):
        raise HeaderError(f"rally.h:{line}: expected a typedef or a function")
    if isinstance(node.type, c_ast.PtrDecl) and isinstance(node.type.type, c_ast.FuncDecl):
        header.callbacks.append(_signature(node.name, node.type.type, doc))
        return
    declared = node.type.type
    if isinstance(declared, c_ast.Enum):
        header.choices.append(Choice(node.name, tuple(_constants(declared, line, comments)), doc))
    elif isinstance(declared, c_ast.Struct) and declared.decls:
        fields = tuple(_field(decl, comments) for decl in declared.decls)
        header.structs.append(Struct(node.name, fields, doc))
    elif isinstance(declared, c_ast.Struct):
        header.handles.append(Signature(node.name, CType("void"), (), doc or comments.after(line)))
    else:
        raise HeaderError(f"rally.h:{line}: no rule for the typedef {node.name}")


def _doc_of_family(header: Header, line: int, comments: Comments) -> str:
    """Functions on lines right below each other share the comment above them."""
    return header.functions[-1].doc if header.functions and comments.is_code(line - 1) else ""


def _first_line(node: c_ast.Node) -> int:
    """A typedef with a body is known by its last line; its comment stands above the first."""
    declared = getattr(getattr(node, "type", None), "type", None)
    return int(declared.coord.line if isinstance(declared, c_ast.Enum | c_ast.Struct) else node.coord.line)


def _constants(node: c_ast.Enum, first: int, comments: Comments) -> list[Constant]:
    constants: list[Constant] = []
    for enumerator in node.values.enumerators:
        line = enumerator.coord.line
        if enumerator.value is None:
            raise HeaderError(f"rally.h:{line}: {enumerator.name} needs its number")
        heading = comments.above(line) if line != first else ""
        constants.append(Constant(enumerator.name, _number(enumerator.value), comments.after(line), heading))
    return constants


def _number(node: c_ast.Node) -> int:
    if isinstance(node, c_ast.Constant):
        return int(node.value, 0)
    if isinstance(node, c_ast.UnaryOp) and node.op == "-":
        return -_number(node.expr)
    raise HeaderError(f"rally.h:{node.coord.line}: expected a number")


def _field(decl: c_ast.Decl, comments: Comments) -> Field:
    doc = comments.after(decl.coord.line)
    default = _DEFAULT.search(doc)
    return Field(decl.name, _type(decl.type), doc, default[1] if default and default[1] != "NULL" else "0")


def _signature(name: str, node: c_ast.FuncDecl, doc: str) -> Signature:
    parameters = tuple(Field(decl.name, _type(decl.type)) for decl in node.args.params if decl.name is not None)
    return Signature(name, _type(node.type), parameters, doc)


def _type(node: c_ast.Node) -> CType:
    pointees: list[bool] = []
    length = None
    if isinstance(node, c_ast.ArrayDecl):
        length, node = _number(node.dim), node.type
    while isinstance(node, c_ast.PtrDecl):
        node = node.type
        pointees.append("const" in (node.quals or []))
    if not isinstance(node, c_ast.TypeDecl) or not isinstance(node.type, c_ast.IdentifierType):
        raise HeaderError(f"rally.h:{node.coord.line}: no rule for this type")
    return CType(" ".join(node.type.names), tuple(pointees), length)
