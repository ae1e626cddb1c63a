"""A model that OpenVINO has compiled for the processor, as all its contenders are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.processes import THREADS


def request(path: Path, dtype: str) -> Any:
    """Return an inference request of the file at ``path``, .xml or .onnx, that computes in f32 or bf16 besides int8."""
    import openvino

    options = {
        "INFERENCE_NUM_THREADS": THREADS,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == "bf16" else "f32",
    }
    core = openvino.Core()
    return core.compile_model(core.read_model(path), "CPU", options).create_infer_request()
