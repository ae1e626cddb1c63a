"""The reference code's own numbers, for checkpoints in its own layout: Tests/Fixtures/mor."""

from __future__ import annotations

from pathlib import Path

import pytest
from compare import TOLERANCE, Graph, relative_error
from safetensors.numpy import load_file

import rally
from rally.convert import convert

FIXTURES = Path(__file__).resolve().parents[3] / "Tests" / "Fixtures" / "mor"
CASES = ["expert_nr3", "expert_nr3_kvshare", "expert_nr3_mlp_auxrouter", "token_nr3"]


def test_every_fixture_is_a_case() -> None:
    assert sorted(path.name for path in FIXTURES.iterdir() if path.is_dir()) == CASES


@pytest.mark.parametrize("case", CASES)
def test_equals_the_reference(case: str, tmp_path: Path) -> None:
    path = tmp_path / f"{case}.onnx"
    convert(FIXTURES / case, path, quiet=True)
    golden = load_file(FIXTURES / case / "golden.safetensors")
    row = golden["input_ids"].tolist()
    with rally.Model(path, threads=2) as model:
        (topk,) = model.forward([row], "topk")
        (threshold,) = model.forward([row], "threshold")
    assert topk.depth.tolist() == golden["depth_upstream"].tolist()
    assert relative_error(topk.logits, golden["logits_upstream_eager_fp32"]) <= TOLERANCE
    if "depth_ref_threshold" in golden:
        assert threshold.depth.tolist() == golden["depth_ref_threshold"].tolist()
        assert relative_error(threshold.logits, golden["logits_ref_threshold"]) <= TOLERANCE
    else:
        assert threshold.depth.tolist() == topk.depth.tolist()
    logits, depth = Graph(path).forward(row)
    assert threshold.depth.tolist() == depth.tolist()
    assert relative_error(threshold.logits, logits) <= TOLERANCE
