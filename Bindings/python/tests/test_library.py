"""Finding and loading the library, and the check of its structs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from ctypes import sizeof
from pathlib import Path

import pytest

import rally
from rally._c.functions import FALLIBLE, PLAIN
from rally._c.structs import STRUCTS
from rally._library import check_layout, library, parse_layout

HEADER = Path(__file__).resolve().parents[3] / "include" / "rally.h"


def written_layout() -> str:
    lines = []
    for name, struct in STRUCTS.items():
        lines.append(f"{name} {sizeof(struct)}")
        for field, *_ in struct._fields_:
            descriptor = getattr(struct, field)
            lines.append(f"{name}.{field} {descriptor.offset} {descriptor.size}")
    return "\n".join(lines) + "\n"


def test_the_library_agrees() -> None:
    text = library().c.rally_abi_layout().decode()
    check_layout(text, "the library")
    sizes, fields = parse_layout(text)
    assert set(sizes) == set(STRUCTS)
    assert set(fields) == {f"{name}.{field}" for name, struct in STRUCTS.items() for field, *_ in struct._fields_}


def test_versions() -> None:
    assert rally.version() == rally.__version__
    assert rally.instruction_set() in {"avx512", "avx2", "sse4", "sse2"}


def test_appended_fields_are_accepted() -> None:
    size = sizeof(STRUCTS["rally_event"])
    grown = written_layout().replace(f"rally_event {size}\n", f"rally_event {size + 8}\n")
    assert grown != written_layout()
    check_layout(f"{grown}rally_event.novelty {size} 8\nrally_new 8\n", "library")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("rally_request.top_k 36 4", "rally_request.top_k 40 4", "rally_request.top_k"),
        ("rally_request.top_k 36 4", "rally_request.top_k 36 8", "rally_request.top_k"),
        ("rally_event.depth 28 4\n", "", "rally_event.depth"),
        ("rally_error 1032", "rally_error 520", "rally_error"),
        ("rally_error 1032", "rally_error many", "rally_error"),
        ("rally_error.code 8 4", "rally_error.code 8", "rally_error.code"),
    ],
)
def test_other_layouts_are_refused(old: str, new: str, named: str) -> None:
    text = written_layout()
    assert old in text
    with pytest.raises(ImportError, match=re.escape(named)):
        check_layout(text.replace(old, new), "library")


def test_every_status_of_the_header() -> None:
    statuses = dict(re.findall(r"^  RALLY_(\w+) = (\d+),?", HEADER.read_text().split("} rally_status;")[0], re.M))
    assert {name: int(value) for name, value in statuses.items()} == {
        status.name: status.value for status in rally.Status if status != rally.Status.UNKNOWN_STATUS
    }
    assert rally.Status(9999) is rally.Status.UNKNOWN_STATUS
    for status in rally.Status:
        assert library().c.rally_status_name(status).decode() == f"RALLY_{status.name}"


def test_every_function_of_the_header_is_declared() -> None:
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    names = set(re.findall(r"\b(rally_\w+)\(", text))
    assert names == {*PLAIN, *FALLIBLE}
    for name in names:
        assert getattr(library().c, name).argtypes is not None


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | variables
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


def test_a_missing_library_is_explained() -> None:
    result = run("import rally; rally.version()", RALLY_LIBRARY="/nowhere/librally.so.0")
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError")
    assert "/nowhere/librally.so.0" in last
    assert "RALLY_LIBRARY" in last


def test_another_library_is_refused(tmp_path: Path) -> None:
    assert (
        run("import rally; rally.version()", RALLY_LIBRARY="libc.so.6")
        .stderr.strip()
        .splitlines()[-1]
        .startswith("ImportError: libc.so.6 is not a Rally library")
    )
    (tmp_path / "text.so").write_text("no library")
    result = run("import rally; rally.version()", RALLY_LIBRARY=str(tmp_path / "text.so"))
    assert result.stderr.strip().splitlines()[-1].startswith("ImportError: the Rally library was not found")


def test_the_package_needs_no_library_to_be_imported() -> None:
    result = run(
        "import sys, rally; assert not {'torch', 'onnx', 'scipy'} & set(sys.modules); print(rally.__version__)",
        RALLY_LIBRARY="/nowhere",
    )
    assert result.stdout.strip() == rally.__version__, result.stderr
