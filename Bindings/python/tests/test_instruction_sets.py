"""The library on older processors: the same numbers, and the same promises, with the dispatch held down."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def run(isa: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"RALLY_MAX_CPU_ISA": isa}
    return subprocess.run(
        [sys.executable, *arguments], cwd=HERE, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("isa", ["sse4", "avx2"])
def test_reference_and_invariance_hold(isa: str) -> None:
    """The conformance cases within 1e-5, and bit equality over company, cut and threads."""
    code = "import rally; print(rally.instruction_set())"
    assert run(isa, "-c", code).stdout.strip() == isa
    tests = run(isa, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "test_conformance.py", "test_invariance.py")
    assert tests.returncode == 0, tests.stdout[-4000:]
    assert " passed" in tests.stdout


@pytest.mark.parametrize("isa", ["sse4", "avx2"])
def test_types_of_keys_and_values_hold(isa: str) -> None:
    """Keys and values in bf16 and int8: company, cuts, and how far they are from f32."""
    tests = run(isa, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", "cut or near", "test_cache_types.py")
    assert tests.returncode == 0, tests.stdout[-4000:]
    assert " passed" in tests.stdout


def test_an_unknown_instruction_set_is_an_error() -> None:
    code = (
        "import rally\n"
        "try:\n    rally.Model('none.onnx')\n"
        "except rally.RallyError as error:\n    print(error.code.name, error)"
    )
    found = run("mmx", "-c", code).stdout
    assert "INVALID_ARGUMENT" in found
    assert "RALLY_MAX_CPU_ISA" in found
