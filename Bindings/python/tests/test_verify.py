"""The comparison of the two engines, with a stand-in for Rally: onnxruntime's own numbers, changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import variants

from rally import verify
from rally.convert import convert


def model(tmp_path: Path, kind: str) -> Path:
    cases = variants.language_models() if kind == "lm" else variants.raters()
    path = tmp_path / "model.onnx"
    convert(next(iter(cases)).write(tmp_path / "checkpoint"), path, quiet=True)
    return path


@pytest.fixture(params=["lm", "rater"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return model(tmp_path, request.param)


def stand_in(monkeypatch: pytest.MonkeyPatch, **changes: float) -> None:
    def run(
        path: Path, rows: verify.Rows, rater: bool, dtype: str, options: dict[str, Any] | None = None
    ) -> verify.Outputs:
        session, _ = verify._open(path)
        if rater:
            outputs = verify._score_by_onnxruntime(session, rows)
        else:
            outputs = verify._run_by_onnxruntime(session, rows, options or {})
        return {name: values + np.asarray(changes.get(name, 0), values.dtype) for name, values in outputs.items()}

    monkeypatch.setattr(verify, "run_by_rally", run)


def output(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str) -> tuple[int, Any]:
    status = verify.main([str(path), "--length", "20", "--json", *arguments])
    return status, json.loads(capsys.readouterr().out)


def test_equal_outputs_agree(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in(monkeypatch)
    status, report = output(capsys, path)
    assert status == 0
    assert report["agrees"]
    assert all(one["different"] == 0 and one["relative"] == 0.0 for one in report["outputs"])


@pytest.mark.parametrize("name", ["logits", "depth", "score"])
@pytest.mark.parametrize("change", [1.0, float("nan")])
def test_a_difference_is_seen(
    name: str, change: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = model(tmp_path, "rater" if name == "score" else "lm")
    stand_in(monkeypatch, **{name: 1.0 if name == "depth" else change})
    status, report = output(capsys, path)
    assert status == 1
    assert [one["name"] for one in report["outputs"] if not one["agrees"]] == [name]
    assert verify.main([str(path), "--length", "20"]) == 1
    assert "NO" in capsys.readouterr().out


def test_unusable_files_and_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.main([str(tmp_path / "nowhere.onnx")]) == 1
    assert verify.main([str(model(tmp_path, "lm")), "--length", "100000"]) == 1
    assert capsys.readouterr().err.count("error: ") == 2
