"""What `rally score` leaves to `python -m rally.score`, templates over lines, and files that other tools rewrote."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rally
from conftest import run
from rally.adapters.tables import TableRater

TEXTS = ["the little boat", "rain over the harbour", "a stone"]


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "web.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"text": TEXTS, "url": ["a", "b", "c"]}), path)
    return path


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch) -> str:
    """The interpreter that has this package, as the environment names it."""
    monkeypatch.setenv("RALLY_PYTHON", sys.executable)
    return sys.executable


@pytest.mark.parametrize("what", ["file", "folder"])
def test_parquet_is_handed_over(what, parquet, python, rater, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("score", "-m", rater, parquet if what == "file" else parquet.parent, "--window", 9, "--json", "-t", 1)
    assert done.code == 0, done.err
    (said,) = [line for line in done.err.splitlines() if "handed over" in line]
    assert f"{python} -m rally.score" in said
    assert json.loads(done.out)["mode"].startswith("document window 9")
    scores = pq.read_table(tmp_path / ("web-scores" if what == "file" else "in-scores") / "scores-00000.parquet")
    with rally.Model(rater, threads=1) as model:
        assert scores["score"].to_pylist() == model.rate_documents(TEXTS, 9).score.tolist()


def test_out_hands_over_lines_as_well(python, rater, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"body": "the sea"}) + "\n")
    done = run("score", "-m", rater, path, "--out", tmp_path / "out", "--text", "body", "-t", 1)
    assert done.code == 0, done.err
    assert (tmp_path / "out" / "report.json").exists()


def test_the_status_of_the_other_program_is_this_one(parquet, python, rater, tmp_path):
    done = run("score", "-m", rater, parquet, "--out", tmp_path / "out", "--text", "none", "-t", 1)
    assert done.code == 1
    assert "none" in done.err


@pytest.mark.parametrize("option", ["--sort", "--squash", "--keep=0.5", "--save-cdf=x", "--field=y", "--plain"])
def test_options_that_lines_have_only(option, parquet, python, rater):
    done = run("score", "-m", rater, parquet, option)
    assert done.code == 2
    assert "Parquet" in done.err
    assert option.split("=")[0] in done.err


def test_without_an_interpreter(parquet, rater):
    done = run("score", "-m", rater, parquet, RALLY_PYTHON="/no/such/python")
    assert done.code == 3
    assert "pip install" in done.err
    assert "RALLY_PYTHON" in done.err
    assert not done.out


def test_standard_input_is_no_corpus(python, rater):
    done = run("score", "-m", rater, "-", "--out", "x")
    assert done.code == 2
    assert "name them" in done.err


# Templates


def lines(*values: dict) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def test_a_template_is_filled_from_the_line(rater):
    given = lines(
        {"text": "the sea", "meta": {"title": 'A "day"', "n": 3}}, {"text": "x", "meta": {"title": None}}, {"text": "y"}
    )
    done = run("score", "-m", rater, "--template", "{{{meta.title}}} {meta.n}: {text}", "--keep-going", stdin=given)
    assert done.code == 1
    (found,) = [json.loads(line) for line in done.lines]
    with rally.Model(rater, threads=1) as model:
        assert found["score"] == pytest.approx(model.rate_documents(['{A "day"} 3: the sea']).score[0], abs=1e-6)
    assert done.err.count("which stands in the rater's text template") == 2


@pytest.mark.parametrize("text", ["{title", "title}", "{}", "{a:b} {text}", "{a!r} {text}", "no member", "{{text}}"])
def test_what_is_no_template(text, rater):
    done = run("score", "-m", rater, "--template", text, stdin=lines({"text": "x"}))
    assert done.code == 2
    assert "--template" in done.err


def test_labels_are_those_of_python(rater, tmp_path):
    given = lines({"text": "the sea", "url": "a"})
    how = ["--template", "{url} {text}", "--reading", "first", "--window", 9]
    assert run("score", "-m", rater, *how, "--save-cdf", tmp_path / "cdf", stdin=given).code == 0
    scorer = rally.Scorer(rater, threads=1)
    label = TableRater(scorer, template="{url} {text}", reading="first", window=9).label
    assert rally.Distribution.load(tmp_path / "cdf").label == label
    plain = rally.Distribution(scorer)
    plain.add([0.0])
    plain.save(tmp_path / "plain")
    assert run("score", "-m", rater, "--cdf", tmp_path / "plain", stdin=given).code == 0
    assert run("score", "-m", rater, *how, "--cdf", tmp_path / "plain", stdin=given).code == 2


# Files that another tool rewrote


def test_an_optimised_file_is_known_as_such(rater, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(rater), options, providers=["CPUExecutionProvider"])
    done = run("score", "-m", tmp_path / "optimised.onnx", stdin=lines({"text": "x"}))
    assert done.code == 4
    assert "another tool optimised this file" in done.err
    assert "onnxruntime" in done.err
