"""The Python package has no import cycles, those inside functions counted."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PYTHON = Path(__file__).resolve().parents[2] / "Bindings" / "python"


def modules(folder: Path) -> dict[str, Path]:
    """All modules of a folder's packages, by their full names."""
    names = {}
    for path in folder.glob("rally/**/*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements wherever they stand, but for those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from statements(other)
        else:
            yield from statements(child)


def imported(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """What a module imports of the package itself."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for statement in statements(ast.parse(path.read_text())):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
            continue
        base = statement.module or ""
        if statement.level:
            parts = package.split(".")
            base = ".".join([*parts[: len(parts) - statement.level + 1], *([base] if base else [])])
        for alias in statement.names:
            part = f"{base}.{alias.name}"
            found.add(part if part in known else base)
    return (found & known.keys()) - {name}


def cycle(folder: Path) -> list[str]:
    """The modules of one cycle; empty where there is none."""
    known = modules(folder)
    try:
        TopologicalSorter({name: imported(name, path, known) for name, path in known.items()}).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_the_package_has_no_cycle() -> None:
    assert len(modules(PYTHON)) > 100
    assert cycle(PYTHON) == []


@pytest.mark.parametrize("late", ["from . import a", "def f():\n    from .a import x", "import rally.a"])
def test_a_cycle_is_found(tmp_path: Path, late: str) -> None:
    package = tmp_path / "rally"
    package.mkdir()
    (package / "__init__.py").write_text("from .a import x")
    (package / "a.py").write_text("from .b import y\nx = 1")
    (package / "b.py").write_text(f"{late}\ny = 1")
    assert set(cycle(tmp_path)) == {"rally.a", "rally.b"}
    (package / "b.py").write_text(f"if TYPE_CHECKING:\n    {late.splitlines()[-1].strip()}\ny = 1")
    assert cycle(tmp_path) == []
