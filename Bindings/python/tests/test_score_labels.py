"""A rater of six labels over a corpus: its columns are there after everything that is done with the scores."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import corpora
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

import rally
from rally import RallyError, Scorer, Status
from rally.convert import convert
from rally.convert.raters import RaterChoices
from rally.score import Selection, Settings, again, merge, recover, score_corpus, write_kept

FIXTURE = Path(__file__).resolve().parents[3] / "Tests" / "Fixtures" / "raters" / "bert_six_labels"
LABELS = [f"LABEL_{index}" for index in range(6)]
DETAILS = ["int_score", "label", *(f"p_{label}" for label in LABELS)]


@pytest.fixture(scope="module")
def labeller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rater, whose score is the probability of one label; its biases are moved, so that several labels win."""
    folder = Path(shutil.copytree(FIXTURE, tmp_path_factory.mktemp("labeller") / "six"))
    state = load_file(folder / "model.safetensors")
    state["classifier.bias"] -= load_file(folder / "golden.safetensors")["logits"].mean(axis=0)
    save_file(state, folder / "model.safetensors")
    path = folder / "six.onnx"
    convert(folder, path, rater=RaterChoices(score="softmax:LABEL_2", int_score=(0, 3)), quiet=True)
    return path


@pytest.fixture(scope="module")
def rows() -> list[list[int]]:
    random = np.random.default_rng(7)
    return [random.integers(5, 30, int(random.integers(1, 12))).tolist() for _ in range(24)]


@pytest.fixture(scope="module")
def corpus(rows: list[list[int]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Token ids in two tables; a third one comes later."""
    folder = tmp_path_factory.mktemp("ids") / "in"
    folder.mkdir()
    for name, first, end in (("a", 0, 10), ("b", 10, 20)):
        write(folder / f"{name}.parquet", rows, first, end)
    return folder


@pytest.fixture(scope="module")
def scored(corpus: Path, labeller: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("labels") / "out"
    score_corpus(settings(labeller, corpus, out))
    return out


def write(path: Path, rows: list[list[int]], first: int, end: int) -> None:
    names = [f"d{place}" for place in range(first, end)]
    kinds = pa.array(["odd" if place % 2 else "even" for place in range(first, end)])
    corpora.write_parquet(path, {"id": names, "ids": pa.array(rows[first:end], pa.list_(pa.int32())), "kind": kinds})


def settings(rater: Path, inputs: Path, out: Path, **changes: Any) -> Settings:
    how: dict[str, Any] = {"id": "id", "tokens": "ids", "threads": 1, "commit_tokens": 20, "shard_rows": 7} | changes
    return Settings(str(rater), (str(inputs),), str(out), **how)


def check(out: Path, labeller: Path, rows: list[list[int]], end: str = "") -> None:
    """The columns of every document are what the model says of it alone."""
    found = corpora.read(out)
    assert found
    with rally.Model(labeller, threads=1) as model:
        for row in found:
            expected = model.rate_documents([rows[int(row["id"][1:])]], outputs=True)
            assert expected.outputs is not None
            assert expected.int_score is not None
            outputs = np.array([row[f"p_{label}{end}"] for label in LABELS], np.float32)
            assert np.array_equal(outputs, expected.outputs[0])
            assert row[f"label{end}"] == LABELS[int(expected.outputs[0].argmax())]
            assert row[f"int_score{end}"] == expected.int_score[0]
            assert np.float32(row[f"score{end}"]) == expected.score[0]


def test_a_plain_run(scored: Path, labeller: Path, rows: list[list[int]]) -> None:
    check(scored, labeller, rows)
    schema = pq.read_schema(sorted(scored.glob("scores-*"))[0])
    assert [name for name in schema.names if name in DETAILS] == DETAILS
    assert [str(schema.field(name).type) for name in DETAILS] == ["int32", "string", *["float"] * 6]
    assert len({row["label"] for row in corpora.read(scored)}) > 1  # else equal labels would show nothing


def test_lines_and_a_further_rater(
    scored: Path, corpus: Path, labeller: Path, rows: list[list[int]], tmp_path: Path
) -> None:
    """The same rater under another name as the second: both have columns of their own, in lines too."""
    other = Path(shutil.copy(labeller, tmp_path / "other.onnx"))
    score_corpus(settings(labeller, corpus, tmp_path / "out", also=(str(other),), format="jsonl"))
    check(tmp_path / "out", labeller, rows)
    check(tmp_path / "out", labeller, rows, "_other")
    again(tmp_path / "out", form="parquet")
    check(tmp_path / "out", labeller, rows, "_other")


def test_outputs_without_probabilities(corpus: Path, rows: list[list[int]], tmp_path: Path) -> None:
    path = tmp_path / "rater.onnx"
    convert(FIXTURE, path, rater=RaterChoices(score="logit:LABEL_0"), quiet=True)
    score_corpus(settings(path, corpus, tmp_path / "out"))
    with rally.Model(path, threads=1) as model:
        expected = model.rate_outputs(rows[:20])
    found = corpora.read(tmp_path / "out")
    logits = np.array([[row[f"logit_{label}"] for label in LABELS] for row in found], np.float32)
    assert np.array_equal(logits, expected)
    assert [row["label"] for row in found] == [LABELS[place] for place in expected.argmax(axis=1)]
    assert "int_score" not in found[0]


@pytest.mark.parametrize("how", [{"discard": 0.3}, {"form": "jsonl"}, {"source": "kind"}])
def test_again(scored: Path, labeller: Path, rows: list[list[int]], tmp_path: Path, how: dict[str, Any]) -> None:
    out = Path(shutil.copytree(scored, tmp_path / "out"))
    before = corpora.read(out)
    again(out, **how)
    check(out, labeller, rows)
    after = corpora.read(out)
    assert [[row[name] for name in DETAILS] for row in after] == [[row[name] for name in DETAILS] for row in before]
    again(out, form="parquet")
    assert [set(row) for row in corpora.read(out)] == [set(row) for row in before]


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_a_shard_without_its_columns(scored: Path, tmp_path: Path, form: str) -> None:
    """Another program wrote it again, and left some out: nothing is made of it, and nothing is written."""
    out = Path(shutil.copytree(scored, tmp_path / "out"))
    again(out, form=form)
    shard = sorted(out.glob("scores-*"))[0]
    if form == "parquet":
        pq.write_table(pq.read_table(shard).drop_columns(["p_LABEL_3"]), shard)
    else:
        shard.write_text(shard.read_text().replace('"p_LABEL_3"', '"p"'))
    before = corpora.results(out)
    with pytest.raises(RallyError, match="expected the column 'p_LABEL_3'") as error:
        again(out, form="jsonl" if form == "parquet" else "parquet")
    assert error.value.code == Status.MISMATCH
    assert {name for name in corpora.results(out) if not name.startswith("_")} == {
        name for name in before if not name.startswith("_")
    }
    again(out, discard=0.25)  # needs the scores alone


def test_append_is_a_run_over_all(labeller: Path, corpus: Path, rows: list[list[int]], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(corpus, tmp_path / "in"))
    for out in ("one", "two"):
        score_corpus(settings(labeller, folder, tmp_path / out))
    again(tmp_path / "two", form="jsonl")
    write(folder / "c.parquet", rows, 20, 24)
    for out, form in (("one", "parquet"), ("two", "jsonl")):
        score_corpus(settings(labeller, folder, tmp_path / out, append=True, format=form))
        assert len(corpora.read(tmp_path / out)) == 24
        check(tmp_path / out, labeller, rows)


def test_shards_and_merging(scored: Path, labeller: Path, corpus: Path, rows: list[list[int]], tmp_path: Path) -> None:
    parts = [tmp_path / f"part {number}" for number in (1, 2)]
    for number, part in enumerate(parts, 1):
        score_corpus(settings(labeller, corpus, part, shard=(number, 2)))
        check(part, labeller, rows)
    merge(parts, tmp_path / "out")
    check(tmp_path / "out", labeller, rows)
    assert sorted(corpora.read(tmp_path / "out"), key=lambda row: row["id"]) == sorted(
        corpora.read(scored), key=lambda row: row["id"]
    )


def test_recovered_and_gone_on(
    scored: Path, labeller: Path, corpus: Path, rows: list[list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, calls = tmp_path / "out", 0
    honest = Scorer.rate_documents

    def ending(*arguments: Any, **how: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return honest(*arguments, **how)

    with monkeypatch.context() as patch:
        patch.setattr(Scorer, "rate_documents", ending)
        with pytest.raises(KeyboardInterrupt):
            score_corpus(settings(labeller, corpus, out))
    assert recover(out)["partial"]
    assert 0 < len(corpora.read(out)) < 20
    check(out, labeller, rows)
    score_corpus(settings(labeller, corpus, out))
    assert corpora.results(out) == corpora.results(scored)


def test_workers_and_writing(scored: Path, labeller: Path, corpus: Path, rows: list[list[int]], tmp_path: Path) -> None:
    """What is kept is the corpus' own rows; the scores stay as they are."""
    out = tmp_path / "out"
    score_corpus(settings(labeller, corpus, out, workers=2))
    assert corpora.results(out) == corpora.results(scored)
    found = write_kept(out, tmp_path / "kept", Selection(discard=0.5))
    assert found["kept"] == 10
    kept = [row for path in sorted((tmp_path / "kept").rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    best = sorted(corpora.read(out), key=lambda row: -row["score"])[:10]
    assert sorted(row["id"] for row in kept) == sorted(row["id"] for row in best)
    assert all(row["ids"] == rows[int(row["id"][1:])] for row in kept)
    assert corpora.results(out) == corpora.results(scored)
