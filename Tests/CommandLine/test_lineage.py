"""Lineage: the table, the object of JSON, and models that cannot be compared."""

from __future__ import annotations

import json
import math

from conftest import ROOT, run

CHECKPOINTS = ROOT / "Tests/Fixtures/mor"


def test_a_model_is_its_own_kin(lm, tmp_path):
    narrow = tmp_path / "int8.onnx"
    assert run("quantize", lm, narrow).code == 0
    result = run("lineage", lm, narrow)
    assert (result.code, result.err) == (0, "")
    assert result.lines[0].split() == ["tensor", "units", "of", "rho", "z", "p"]
    width = {len(line) for line in result.lines[:-2]}
    assert len(width) == 1, "the table is aligned"
    assert "p < 0.00010" in result.lines[-2]
    assert result.lines[-1].startswith("verdict  shared initialisation, strong exposure")


def test_json_has_the_same_numbers(lm):
    first = run("lineage", lm, lm, "--json", "--permutations", 1500, "--seed", 7, "-t", 1)
    again = run("lineage", lm, lm, "--json", "--permutations", 1500, "--seed", 7, "-t", 2)
    assert first.code == 0
    assert first.out == again.out
    report = json.loads(first.out)
    assert (report["verdict"], report["permutations"], report["seed"]) == ("shared, strong exposure", 1500, 7)
    assert report["head"] is None, "the head is the embedding"
    y = -sum(math.log(found["p"]) for found in report["sets"])
    fisher = math.exp(-y) * sum(y**k / math.factorial(k) for k in range(len(report["sets"])))
    assert math.isclose(report["p"], fisher, rel_tol=1e-9)
    names = {found["name"] for found in report["sets"]}
    assert {found["set"] for found in report["tensors"]} == names
    assert all(found["units"] <= found["all_units"] for found in report["tensors"])


def test_other_initialisations_are_told_apart():
    result = run("lineage", CHECKPOINTS / "expert_nr3", CHECKPOINTS / "expert_nr3_mlp_auxrouter")
    assert result.code == 0, result
    assert "no shared initialisation seen" in result.lines[-1]
    assert "no proof" in result.lines[-1]


def test_what_cannot_be_compared(lm, rater, tmp_path):
    result = run("lineage", lm, rater)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1
    assert run("lineage", lm, tmp_path / "none.onnx").code == 3
    assert run("lineage", lm, tmp_path).code == 3
    assert run("lineage", lm).code == 2
    assert run("lineage", lm, lm, "--permutations", 3).code == 2
    assert run("lineage", lm, lm, "-t", 0).code == 2
    (tmp_path / "bad.safetensors").write_bytes(b"\xff" * 40)
    assert run("lineage", lm, tmp_path / "bad.safetensors").code == 4
