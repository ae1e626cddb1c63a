"""Rally among libraries of the same names: whoever is loaded first, in one scope for all or not, everything works."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[3] / "Examples" / "models" / "rally-tiny.onnx"

# Each loads something with RTLD_GLOBAL, as a program that links it has it, and uses it.
STEPS = {
    "rally": "use_rally()",
    "onnx": """
import onnx
onnx.checker.check_model(MODEL)
assert onnx.load(MODEL).graph.node
""",
    "onnxruntime": """
import onnxruntime
assert onnxruntime.InferenceSession(MODEL).get_outputs()
""",
    "torch": """
import torch
assert float(torch.ones(64, 64).matmul(torch.ones(64, 64))[0, 0]) == 64
""",
    "debian": """
for name in ("libprotobuf.so.32", "libonnx_proto.so.1", "libonnx.so.1"):
    ctypes.CDLL(name, os.RTLD_GLOBAL | os.RTLD_NOW)
""",
}
HEAD = f"""
import ctypes, os, sys
sys.setdlopenflags(os.RTLD_GLOBAL | os.RTLD_NOW)
MODEL = {str(MODEL)!r}
import rally
def use_rally():
    with rally.Model(MODEL, threads=1) as model:
        assert list(model.generate("The sea", max_tokens=3).tokens) == EXPECTED
"""


def run(steps: tuple[str, ...], expected: list[int], **variables: str) -> None:
    # At the end once more: what came in between must not have hurt.
    code = HEAD.replace("EXPECTED", str(expected)) + "\n".join(STEPS[step] for step in (*steps, "rally"))
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | variables, check=False
    )
    assert result.returncode == 0, f"{steps}: {result.returncode} {result.stderr[-2000:]}"
    assert "protobuf" not in result.stderr


@pytest.fixture(scope="module")
def expected() -> list[int]:
    import rally

    with rally.Model(str(MODEL), threads=1) as model:
        return [int(token) for token in model.generate("The sea", max_tokens=3).tokens]


@pytest.mark.parametrize(
    "order",
    [*itertools.permutations(("rally", "onnx", "onnxruntime")), ("torch", "rally", "onnx"), ("rally", "torch", "onnx")],
)
def test_every_order_in_one_scope(order: tuple[str, ...], expected: list[int]) -> None:
    run(order, expected)


@pytest.mark.parametrize("order", [("debian", "rally"), ("rally", "debian")])
def test_debians_libraries_in_the_same_scope(order: tuple[str, ...], expected: list[int]) -> None:
    run(order, expected)


def test_preloaded_libraries_of_the_same_symbols(expected: list[int]) -> None:
    run((), expected, LD_PRELOAD="libonnx.so.1 libprotobuf.so.32")


def test_nothing_of_others_is_needed_or_found_by_the_host() -> None:
    code = f"""
import ctypes, rally
with rally.Model({str(MODEL)!r}, threads=1): pass
main = ctypes.CDLL(None)
for name in ("_ZN4onnx10ModelProtoD1Ev", "_ZN6google8protobuf7Message11MergeFromERKS1_", "dnnl_engine_create", "omp_get_num_threads"):
    assert not hasattr(main, name), name
maps = open("/proc/self/maps").read()
for name in ("libonnx", "libprotobuf", "libdnnl", "libgomp", "libhwy", "libOpenCL"):
    assert name not in maps, name
assert "rlyonnx.so.1" in maps
"""
    subprocess.run([sys.executable, "-c", code], check=True)
