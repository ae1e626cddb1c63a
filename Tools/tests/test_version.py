"""`include/rally.h` has the version; what cannot read it there says the same."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def header_version() -> str:
    header = (ROOT / "include" / "rally.h").read_text()
    parts = re.findall(r"^#define RALLY_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)$", header, re.MULTILINE)
    assert len(parts) == 3
    return ".".join(parts)


def toml(path: str) -> dict:
    return tomllib.loads((ROOT / path).read_text())


def test_python_has_the_headers_version() -> None:
    tree = ast.parse((ROOT / "Bindings/python/rally/__init__.py").read_text())
    found = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]
    assert found == [header_version()]
    project = toml("Bindings/python/pyproject.toml")
    assert "version" in project["project"]["dynamic"], "the package says what rally.__version__ says"
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "rally.__version__"}


def test_rust_has_the_headers_version() -> None:
    assert toml("Bindings/rust/Cargo.toml")["workspace"]["package"]["version"] == header_version()
    assert toml("Bindings/rust/rally/Cargo.toml")["dependencies"]["rally-sys"]["version"] == header_version()
    for crate in ("rally", "rally-sys"):
        assert toml(f"Bindings/rust/{crate}/Cargo.toml")["package"]["version"] == {"workspace": True}


def test_nothing_else_writes_a_version_down() -> None:
    packaging = [path for path in (ROOT / "Packaging").rglob("*") if path.is_file()]
    swift = [path for path in (ROOT / "Sources").rglob("*.swift") if "Generated" not in path.parts]
    for path in [*packaging, *swift, ROOT / "Package.swift"]:
        if path.suffix == ".pyc":
            continue
        assert f'"{header_version()}"' not in path.read_text(), path
