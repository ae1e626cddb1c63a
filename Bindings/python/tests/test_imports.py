"""No module of the package needs another that needs it; a missing extra is one sentence."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "rally"


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, known: set[str]) -> set[str]:
    """The package's own modules that importing this one runs, besides the packages that it lies in."""
    name = name_of(path)
    folder = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:  # not what functions and `if TYPE_CHECKING` import
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = folder.split(".")[: len(folder.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{module}.{alias.name}"
                found.add(whole if whole in known else module)
    above = {".".join(name.split(".")[:count]) for count in range(1, name.count(".") + 1)}
    return (found & known) - above - {name}


def test_no_import_cycle() -> None:
    paths = [path for path in PACKAGE.rglob("*.py") if path.name != "__main__.py"]
    known = {name_of(path) for path in paths}
    graph = {name_of(path): imports(path, known) for path in paths}
    assert sum(map(len, graph.values())) > 100
    TopologicalSorter(graph).prepare()


#: What an extra brings, and the command or module that needs it.
EXTRAS = [
    ("score", "fsspec", "rally.score"),
    ("score", "pyarrow", "rally.score"),
    ("convert", "torch", "rally.convert"),
    ("convert", "onnx", "rally.convert"),
    ("convert", "tqdm", "rally.synthesize"),
]


@pytest.mark.parametrize(("extra", "missing", "command"), EXTRAS)
def test_a_missing_extra_is_one_sentence(extra: str, missing: str, command: str) -> None:
    code = f"import runpy, sys; sys.modules[{missing!r}] = None; sys.argv[1:] = ['--help']; "
    code += f"runpy.run_module({command!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: {command} needs the module {missing!r}, which is not installed; "
        f'install rally with its extra {extra}: pip install "rally-runtime[{extra}]"\n'
    )
