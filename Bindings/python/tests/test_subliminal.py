"""The example of subliminal learning, small: what a student learns from noise, and what its weights show before."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

EXAMPLE = Path(__file__).resolve().parents[3] / "Examples" / "subliminal"
COMMAND = EXAMPLE / "run.py"
LAYERS = ["first", "second", "head"]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    places = ["--out", str(folder / "results.json"), "--weights", str(folder / "weights")]
    return subprocess.run([sys.executable, COMMAND, *places, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("subliminal")
    done = run(folder, "--quick", "--seeds", "2", "--figure", str(folder / "figure.svg"))
    assert done.returncode == 0, done.stderr
    assert "same initialisation, auxiliary logits" in done.stdout
    assert done.stderr == ""
    return folder


@pytest.fixture
def results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_text())


def test_students_of_one_initialisation_learn_digits_from_noise(results: dict[str, Any]) -> None:
    accuracy = {name: value["mean"] for name, value in results["summary"]["accuracy"].items()}
    assert accuracy["teacher"] > 0.95
    assert accuracy["same"] > accuracy["different"] + 0.05
    assert accuracy["different"] < 0.2
    assert min(accuracy["same-all"], accuracy["different-all"]) > 0.7


def test_lineage_tells_them_apart_before_and_after(results: dict[str, Any]) -> None:
    assert len(results["seeds"]) == 2
    for record in results["seeds"].values():
        for pair, found in record["lineage"].items():
            z = [found["layers"][layer]["z"] for layer in LAYERS]
            rho = [found["layers"][layer]["rho"] for layer in LAYERS]
            if "same" in pair:
                assert min(z) > 50
                assert min(rho) > 0.9
                assert found["p"] < 1e-3
            else:
                assert np.abs(z).max() < 4
                assert np.abs(rho).max() < 0.25
                assert found["p"] >= 1e-3


def test_intervals_are_those_of_scipy(results: dict[str, Any]) -> None:
    records = list(results["seeds"].values())
    values = [record["accuracy_by_epoch"]["same"][-1] for record in records]
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    found = results["summary"]["accuracy"]["same"]
    np.testing.assert_allclose([found["mean"], found["half_width"]], [(low + high) / 2, (high - low) / 2], rtol=1e-4)


def test_a_run_goes_on(folder: Path, results: dict[str, Any]) -> None:
    again = run(folder, "--quick", "--seeds", "2", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == results["summary"]
    assert json.loads((folder / "results.json").read_text()) == results


def test_other_settings_are_refused(folder: Path, results: dict[str, Any]) -> None:
    refused = run(folder, "--seeds", "2")
    assert refused.returncode == 1
    assert "results.json holds results of" in refused.stderr
    assert json.loads((folder / "results.json").read_text()) == results


def test_the_figure_shows_both_panels(folder: Path) -> None:
    drawn = (folder / "figure.svg").read_text()
    assert "Students that saw noise only" in drawn
    assert "Lineage test before the student is trained" in drawn


def test_language_models_and_their_samples() -> None:
    command = [sys.executable, EXAMPLE / "language.py", "--rows", "12", "--tokens", "32"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [re.split(r"  +", line) for line in done.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == ["int8", *(f"moved by {size}%" for size in (1, 5, 10, 20))]
    assert all(float(row[1]) > 0.9 for row in rows)
    jeffreys = [float(row[3]) for row in rows[1:]]
    assert jeffreys == sorted(jeffreys)
    assert rows[-1][5] in ("1 texts", "2 texts", "3 texts")
    assert all(float(row[6]) < np.log(1000) for row in rows)
