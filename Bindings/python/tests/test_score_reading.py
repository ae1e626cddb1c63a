"""How documents are read for a corpus run: the part that is asked for, and the rater's template over a row's members."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import corpora
import models
import numpy as np
import pytest

import rally
from rally import RallyError, Reading, Status
from rally.score import Settings, score_corpus
from rally.score.__main__ import main

TEMPLATE = "{url}\n\n{text}"


@pytest.fixture(scope="module")
def templated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.write(tmp_path_factory.mktemp("rater") / "rater.onnx", replace(models.RATER, text_template=TEMPLATE))


def lines(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir()
    corpora.write_lines(folder / "a.jsonl", [json.dumps(row).encode() for row in rows])
    return folder


def score(rater: Path, inputs: Path, out: Path, **changes: Any) -> list[dict[str, Any]]:
    how: dict[str, Any] = {"id": "id", "threads": 1, "commit_tokens": 300} | changes
    score_corpus(Settings(str(rater), (str(inputs),), str(out), **how))
    return corpora.read(out)


def label(out: Path, column: str = "score") -> str:
    found: str = json.loads((out / "report.json").read_text())["columns"][column]["label"]
    return found


READINGS: dict[str, dict[str, Any]] = {
    "first": {"reading": "first", "window": 16},
    "ends": {"reading": "ends", "window": 16, "join": "max"},
    "minimum": {"window": 16, "join": "min"},
    "middle": {"reading": "middle", "window": 16, "characters": 20},
}


@pytest.mark.parametrize("case", READINGS)
def test_a_reading_is_that_of_the_model(case: str, rater_path: Path, tmp_path: Path) -> None:
    how = READINGS[case]
    texts = corpora.texts(12, 3, longest=30)
    folder = lines(tmp_path / "in", [{"id": f"{place}", "text": text} for place, text in enumerate(texts)])
    rows = score(rater_path, folder, tmp_path / "out", **how)
    reading = Reading(how.get("reading"), how.get("join"), how.get("characters"))
    with rally.Model(rater_path, threads=1) as model:
        tokens = [model.encode_document(text, reading) for text in texts]
        expected = model.rate_documents(tokens, how["window"], reading=reading)
        assert not np.array_equal(expected.score, model.rate_documents(texts, how["window"]).score)
        plain = model.label(how["window"])
    assert [np.float32(row["score"]) for row in rows] == expected.score.tolist()
    names = {"reading": "part", "join": "join", "characters": "characters"}
    pairs = [f"{names[name]}={how[name]}" for name in names if name in how]
    assert label(tmp_path / "out") == " ".join([plain, *pairs])
    with pytest.raises(RallyError, match=r"reading was|join was|characters was"):
        score(rater_path, folder, tmp_path / "out", window=16)


def test_special_tokens_by_request(rater_path: Path, tmp_path: Path) -> None:
    folder = lines(tmp_path / "in", [{"id": "0", "text": "the sea"}])
    score(rater_path, folder, tmp_path / "out", parse_special=True)
    assert label(tmp_path / "out").endswith(" special=1")


def test_a_template_is_filled(templated: Path, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "0", "url": "https://a.example/{x}", "text": "the sea"},
        {"id": "1", "url": "https://b.example", "text": "a wind"},
        {"id": "2", "text": "no address"},
        {"id": "3", "url": None, "text": "none either"},
        {"id": "4", "url": "https://c.example", "text": ""},
        {"id": "5", "url": "https://d.example", "text": "the sea"},
    ]
    folder = lines(tmp_path / "in", rows)
    columns = {name: [row[name] for row in (rows[0], rows[1])] for name in ("id", "url", "text")}
    corpora.write_parquet(folder / "b.parquet", columns)
    found = score(templated, folder, tmp_path / "out")
    assert [row["id"] for row in found] == ["0", "1", "5", "0", "1"]
    texts = [f"{row['url']}\n\n{row['text']}" for row in (rows[0], rows[1], rows[5], rows[0], rows[1])]
    with rally.Model(templated, threads=1) as model:
        assert [np.float32(row["score"]) for row in found] == model.rate_documents(texts).score.tolist()
        assert label(tmp_path / "out") == f"{model.label()} template=file"
        alone = model.rate_documents(["the sea"]).score[0]
        plain = model.label()
    assert found[0]["content_hash"] == found[2]["content_hash"]  # of the text, so that copies are found
    reasons = {row["id"]: row["reason"] for row in corpora.rejected(tmp_path / "out")}
    assert reasons["2"] == reasons["3"] == "no url, which stands in the rater's text template"
    assert reasons["4"] == "the text is empty"
    bare = score(templated, folder, tmp_path / "bare", template="{text}")
    assert np.float32(bare[0]["score"]) == alone
    assert label(tmp_path / "bare") == plain


def test_a_template_of_ones_own(rater_path: Path, tmp_path: Path) -> None:
    """Members within members, braces, numbers, and another name for the text."""
    rows = [{"id": "0", "meta": {"title": "Rain"}, "year": 1902, "body": "over stone"}]
    folder = lines(tmp_path / "in", rows)
    template = "{{{meta.title}}} {year}: {text} ({meta.title})"
    found = score(rater_path, folder, tmp_path / "out", text="body", template=template)
    with rally.Model(rater_path, threads=1) as model:
        assert np.float32(found[0]["score"]) == model.rate_documents(["{Rain} 1902: over stone (Rain)"]).score[0]
        assert label(tmp_path / "out").startswith(f"{model.label()} template=")
    score(rater_path, folder, tmp_path / "other", text="body", template=f"{template}.")
    assert label(tmp_path / "out") != label(tmp_path / "other")


def test_plain_lines_have_no_members(templated: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("the sea\n")
    assert score(templated, tmp_path / "in", tmp_path / "out", id=None) == []
    assert "no url" in corpora.rejected(tmp_path / "out")[0]["reason"]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no text": ({"template": "{url}"}, "there is no {text}"),
    "braces": ({"template": "{text"}, "expected"),
    "conversion": ({"template": "{text!r}"}, "name of a member alone"),
    "no name": ({"template": "{} {text}"}, "name of a member alone"),
    "ids": ({"template": "x {text}", "tokens": "ids"}, "token ids"),
    "characters": ({"characters": 0}, "at least 1"),
    "stride": ({"reading": "first", "stride": 4}, "stride"),
    "packed": ({"packed": 16, "reading": "first"}, "leave reading out"),
    "part": ({"reading": "last"}, "reading"),
    "join": ({"join": "median"}, "join"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_read_is_said_at_once(case: str, rater_path: Path, tmp_path: Path) -> None:
    changes, message = WRONG[case]
    folder = lines(tmp_path / "in", [{"id": "0", "text": "the sea"}])
    with pytest.raises(RallyError, match=message) as error:
        score(rater_path, folder, tmp_path / "out", **changes)
    assert error.value.code == Status.INVALID_ARGUMENT
    assert not (tmp_path / "out").exists()


def test_raters_with_different_templates(rater_path: Path, templated: Path, tmp_path: Path) -> None:
    folder = lines(tmp_path / "in", [{"id": "0", "url": "https://a.example", "text": "the sea"}])
    other = models.write(tmp_path / "other.onnx", models.RATER)
    with pytest.raises(RallyError, match="give a template for both") as error:
        score(templated, folder, tmp_path / "out", also=(str(other),))
    assert error.value.code == Status.MISMATCH
    score(templated, folder, tmp_path / "out", also=(str(other),), template=TEMPLATE)
    assert label(tmp_path / "out").endswith(" template=file")
    assert "template=file" not in label(tmp_path / "out", "score_other")


def test_command(templated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    corpora.write_parquet(tmp_path / "in" / "a.parquet", {"text": ["the sea", "a wind"]})
    arguments = [str(templated), str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--threads", "1"]
    assert main(arguments) == 1
    assert "no column 'url'; there are text; the rater's template needs it" in capsys.readouterr().err
    reading = ["--template", "{text}", "--reading", "ends", "--join", "min", "--characters", "50", "--parse-special"]
    assert main([*arguments, *reading]) == 0
    assert label(tmp_path / "out").endswith("part=ends join=min characters=50 special=1")
    capsys.readouterr()
