"""A cheap rater before the rater: the lines that stay, and what does not go together."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import rally
from conftest import run
from rally import select

LOOSE = ("--agreement", 0.9, "--confidence", 0.9, "--sample", 160)
WORDS = [
    "the",
    "little",
    "boat",
    "rain",
    "over",
    "harbour",
    "a",
    "stone",
    "and",
    "wind",
    "old",
    "sea",
    "then",
    "in",
    "north",
    "light",
]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    stream = random.Random(3)
    return [" ".join(stream.choices(WORDS, k=stream.randint(1, 9))) for _ in range(320)]


@pytest.fixture(scope="module")
def cheap(rater: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cheap") / "cheap.onnx"
    rally.quantize(rater, path, "int8")
    return path


def test_the_lines_that_stay_are_those_of_python(texts, cheap, rater):
    given = "".join(json.dumps({"id": place, "text": text}) + "\n" for place, text in enumerate(texts))
    done = run("score", "-m", rater, "--cascade", cheap, "--keep", 0.5, *LOOSE, "-t", 1, stdin=given)
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in done.lines]
    scorers = (rally.Scorer(path, threads=1) for path in (rater, cheap))
    found = rally.Cascade(*scorers, discard=0.5, agreement=0.9, confidence=0.9, sample=160).rate_documents(texts)
    assert [row["id"] for row in rows] == select.top(found.score, 160).tolist()
    for row in rows:
        place = row["id"]
        assert row["score"] == pytest.approx(float(found.score[place]), abs=1e-6)
        assert row["score_cheap"] == pytest.approx(float(found.cheap[place]), abs=1e-6)
        assert row["decided_by"] == ("expensive" if found.is_expensive[place] else "cheap")
        assert ("score_expensive" in row) == (found.expensive[place] == found.expensive[place])
    assert "% confidence at least" in done.err
    assert "160 kept" in done.err
    plain = run("score", "-m", rater, "--cascade", cheap, "--keep", 0.5, *LOOSE, "--plain", stdin="\n".join(texts))
    assert [json.loads(line)["score"] for line in plain.lines] == [row["score"] for row in rows]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), "expected --keep"),
        (("--keep", 1), "expected --keep"),
        (("--keep", 0.5, "--squash"), "--squash"),
        (("--keep", 0.5, "--save-cdf", "x"), "--save-cdf"),
        (("--keep", 0.5, "--sample", 3), "--sample"),
        (("--keep", 0.5, "--agreement", 1), "--agreement"),
    ],
)
def test_what_does_not_go_together(more, words, cheap, rater):
    done = run("score", "-m", rater, "--cascade", cheap, *more, stdin='{"text": "x"}\n')
    assert done.code == 2
    assert words in done.err
    assert not done.out


def test_other_inputs(cheap, rater, lm):
    assert run("score", "-m", rater, "--cascade", cheap, "--keep", 0.5, stdin="").code == 0
    few = run("score", "-m", rater, "--cascade", cheap, "--keep", 0.5, stdin='{"text": "x"}\n')
    assert few.code == 5
    assert "at least 4" in few.err
    assert run("score", "-m", rater, "--sample", 9, stdin="").code == 2
    assert run("score", "-m", rater, "--cascade", lm, "--keep", 0.5, stdin="").code == 4
