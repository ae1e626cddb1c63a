"""The pages that the project writes: readable on a phone and a desk, in light and dark, without a network."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from browser import measured

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "Examples/models"


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run with all that a report can have: long names, many sources, markup, lost files."""
    from rally.score import Settings, score_corpus

    folder = tmp_path_factory.mktemp("in")
    random = np.random.default_rng(1)
    words = ["the", "sea", "was", "calm", "<b>&", "x" * 90, "harbour", "größe", "海"]
    for name in (
        "web",
        "a-very-long-name-of-a-source-without-any-blank-in-it-that-has-to-be-broken-somewhere",
        "books",
    ):
        lines = [{"text": " ".join(random.choice(words, int(random.integers(1, 60))))} for _ in range(60)]
        content = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(content + '{"id": 1}\nno json\n{"text": 3}\n')
    (folder / "cut.parquet").write_bytes(b"PAR1")
    (folder / "table.csv").write_text("a,b\n")
    out = tmp_path_factory.mktemp("out") / "scores"
    score_corpus(Settings(str(MODELS / "rally-rater-tiny.onnx"), (str(folder),), str(out), threads=2))
    return out / "report.html"


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("generated") / "story.html"
    command = [ROOT / ".build/release/rally", "generate", "-m", MODELS / "rally-tiny.onnx", "-p", "The <sea> & 海"]
    subprocess.run(
        [*command, "-n", "120", "--temp", "0.7", "--seed", "7", "--html", path], check=True, capture_output=True
    )
    return path


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["report", "generated"])
def test_pages_are_readable(request: pytest.FixtureRequest, name: str, width: int, dark: bool) -> None:
    found = measured(request.getfixturevalue(name), width, dark)
    assert found["dark"] == dark
    assert found["texts"] > 20
    assert found["contrast"] >= 4.5, found["where"]
    assert found["overflow"] <= 0, found["wide"]
    names = ("heads", "captions", "figures", "network", "broken", "narrow")
    assert {name: found[name] for name in names} == dict.fromkeys(names, 0)


def test_what_the_report_says(report: Path) -> None:
    page = report.read_text()
    for words in (
        "At the cut",
        "Best dropped",
        "Worst kept",
        "Sources",
        "Incomplete files",
        "table.csv",
        "Why rows were rejected",
    ):
        assert words in page
    assert page.index("documents") < page.index("Sources") < page.index("At the cut")
    assert "<b>&" not in page
    assert page.count("<details>") == 10
