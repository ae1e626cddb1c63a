"""The interface of a header as libabigail describes it: `describe.py rally.h OUT.abi`.

The library's own functions are Swift's, whose debug information has no types of C. So a library is compiled that has the header's
functions with empty bodies; that the real one has these very symbols and layouts, other tests say.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from pycparser import c_ast, c_generator, c_parser

TYPES = ["size_t=unsigned long"] + [
    f"{'u' * (sign == 'unsigned ')}int{bits}_t={sign}{name}"
    for sign in ("", "unsigned ")
    for bits, name in ((8, "char"), (16, "short"), (32, "int"), (64, "long"))
]


def stubs(header: Path) -> str:
    """C that defines each function of the header."""
    text = subprocess.run(
        ["cc", "-E", "-P", "-fpreprocessed", "-dD", "-x", "c", header], capture_output=True, text=True, check=True
    ).stdout
    text = re.sub(r"(?m)^\s*#.*$|extern \"C\" \{", "", text)
    text = re.sub(r"}\s*$", "", text)
    known = "".join(
        f"typedef {kind.split('=')[1].replace('signed char', 'signed char')} {kind.split('=')[0]};\n" for kind in TYPES
    )
    generator = c_generator.CGenerator()
    made = ["#include <rally.h>"]
    for node in c_parser.CParser().parse(known + text).ext:
        if isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.FuncDecl):
            made.append(f"{generator.visit(node)} {{ __builtin_trap(); }}")
    return "\n".join(made) + "\n"


def main() -> None:
    header, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "rally.h").write_bytes(header.read_bytes())
        (place / "stubs.c").write_text(stubs(header))
        library = place / "librally.so.0"
        command = [
            "cc",
            "-g",
            "-shared",
            "-fPIC",
            "-I.",
            "-Wno-unused-parameter",
            "-Wl,-soname,librally.so.0",
            "stubs.c",
            "-o",
            library,
        ]
        subprocess.run(command, cwd=place, check=True)
        options = ["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--type-id-style", "hash"]
        subprocess.run(["abidw", *options, "--out-file", out, library], cwd=place, check=True)


if __name__ == "__main__":
    main()
