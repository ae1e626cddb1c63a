"""`rally.score`: every row of every format once, with the very scores of the rater, or rejected with a reason."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import corpora
import fsspec
import models
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import rankdata

import rally
from rally import RallyError, Status
from rally.score import Settings, score_corpus
from rally.score.__main__ import main
from rally.score.inputs import source_of

COMMIT = {"commit_tokens": 600, "shard_rows": 40}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> corpora.Corpus:
    return corpora.mixed(tmp_path_factory.mktemp("corpus") / "in", 40)


@pytest.fixture(scope="module")
def other_rater_path(folder: Path) -> Path:
    return models.write(folder / "other.onnx", models.RATER, seed=5)


def rate(rater: Path, inputs: Path, out: Path, **changes: Any) -> dict[str, Any]:
    return score_corpus(Settings(str(rater), (str(inputs),), str(out), threads=1, **(COMMIT | changes)))


def columns(rows: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([row[name] for row in rows], np.float32)


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_every_document_once_with_its_scores(
    rater: rally.Model, rater_path: Path, corpus: corpora.Corpus, tmp_path: Path, form: str
) -> None:
    report = rate(rater_path, corpus.folder, tmp_path / "out", id="id", window=50, stride=30, format=form)
    rows = corpora.read(tmp_path / "out")
    assert [row["id"] for row in rows] == list(corpus.texts)
    alone = rater.rate_documents(list(corpus.texts.values()), 50, 30)
    assert (columns(rows, "score") == alone.mean).all()
    assert (columns(rows, "minimum") == alone.minimum).all()
    assert (columns(rows, "coverage") == alone.coverage).all()
    assert [row["windows"] for row in rows] == alone.window_counts.tolist()
    assert [np.float32(row["window_scores"]).tolist() for row in rows] == [
        each.tolist() for each in alone.window_scores
    ]
    assert [row["token_count"] for row in rows] == [len(rater.encode(text)) for text in corpus.texts.values()]
    quantiles = (rankdata(alone.mean) - 0.5) / len(rows)
    np.testing.assert_allclose([row["quantile"] for row in rows], quantiles, atol=1e-12)
    scorer = rally.Scorer(rater_path)
    assert {row["rater"] for row in rows} == {scorer.fingerprint} == {report["fingerprint"]}
    assert report["columns"]["score"]["label"] == scorer.label(50, 30)
    assert len(list((tmp_path / "out").glob(f"scores-*.{form}"))) >= 2
    assert list((tmp_path / "out" / "_journal").glob("*.journal")) == []


def test_bad_rows_are_told(rater_path: Path, corpus: corpora.Corpus, tmp_path: Path) -> None:
    report = rate(rater_path, corpus.folder, tmp_path / "out", id="id")
    found = corpora.rejected(tmp_path / "out")
    assert len(found) == corpus.bad == report["all"]["rejected"]
    reasons = list(corpora.BAD_LINES.values())
    for one, reason in zip(found, reasons, strict=False):
        assert one["reason"].startswith(reason)
        assert one["file"].startswith(str(corpus.folder / "a-000"))
    assert {one["id"] for one in found} >= {None, "no text", "empty"}
    plain = (corpus.folder / "a-0000.jsonl").read_bytes().split(b"\n")
    assert all(plain[one["row"]] in corpora.BAD_LINES for one in found if one["file"].endswith("a-0000.jsonl"))


def test_report_per_source(rater: rally.Model, rater_path: Path, corpus: corpora.Corpus, tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = rate(rater_path, corpus.folder, out, id="id", discard=0.75)
    assert json.loads((out / "report.json").read_text()) == report
    scores = rater.rate_documents(list(corpus.texts.values())).mean
    cut = np.sort(scores)[int(0.75 * scores.size) - 1]
    assert report["threshold"] == pytest.approx(float(cut), abs=1e-6)
    assert [one["source"] for one in report["sources"]] == [str(corpus.folder / name) for name in "abc"]
    for name, one in zip("abc", report["sources"], strict=True):
        own = scores[[key.startswith(name) for key in corpus.texts]].astype(np.float64)
        assert one["documents"] == 40
        assert one["score"]["mean"] == pytest.approx(own.mean(), rel=1e-9)
        assert one["score"]["deviation"] == pytest.approx(own.std(), rel=1e-9)
        assert one["score"]["keep_rate"] == pytest.approx((own > cut).mean(), abs=0.5 / 40 + 1e-9)
        assert not one["score"]["nearly_constant"]
    whole = rally.Distribution.load(out / "_distributions" / "score.distribution")
    assert whole.count == 120
    assert whole.label == report["columns"]["score"]["label"]
    parts = sorted((out / "_distributions" / "score").iterdir())
    merged = rally.Distribution(whole.label)
    for part in parts:
        merged.merge(rally.Distribution.load(part))
    assert merged.count == 120
    html = (out / "report.html").read_text()
    assert html.count("<svg") == 4
    assert "http" not in html


def test_nearly_constant_sources_are_flagged(rater_path: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    corpora.write_lines(tmp_path / "in" / "same.txt", [b"the very same sentence"] * 60)
    corpora.write_lines(tmp_path / "in" / "varied.txt", [text.encode() for text in corpora.texts(60, 3)])
    report = rate(rater_path, tmp_path / "in", tmp_path / "out")
    assert [one["score"]["nearly_constant"] for one in report["sources"]] == [True, False]


def test_names_of_rows_without_an_id(rater: rally.Model, rater_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "plain.txt"
    corpora.write_lines(path, [b"\xef\xbb\xbfthe sea\r", b"", b"  ", b"\xff\xff", b"a wind"])
    rate(rater_path, path, tmp_path / "out")
    assert [row["id"] for row in corpora.read(tmp_path / "out")] == [f"{path}:0", f"{path}:4"]
    (only,) = corpora.rejected(tmp_path / "out")
    assert (only["row"], only["id"]) == (3, f"{path}:3")
    rows = corpora.read(tmp_path / "out")
    assert (columns(rows, "score") == rater.rate(["the sea", "a wind"])).all()


def test_token_ids(rater: rally.Model, rater_path: Path, tmp_path: Path) -> None:
    good = models.rows([3, 300, 40])
    path = tmp_path / "ids.parquet"
    values = [good[0], [], [1, models.VOCAB], good[1], [-1], None, good[2], [1, None]]
    corpora.write_parquet(path, {"ids": pa.array(values, pa.list_(pa.int64()))}, group=3)
    rate(rater_path, path, tmp_path / "out", tokens="ids")
    rows = corpora.read(tmp_path / "out")
    assert [row["id"] for row in rows] == [f"{path}:{index}" for index in (0, 3, 6)]
    assert (columns(rows, "score") == rater.rate_documents(good).mean).all()
    reasons = {one["row"]: one["reason"] for one in corpora.rejected(tmp_path / "out")}
    assert reasons == {
        1: "there are no tokens",
        2: f"tokens: expected ids in [0, {models.VOCAB}), found {models.VOCAB} at place 1",
        4: f"tokens: expected ids in [0, {models.VOCAB}), found -1 at place 0",
        5: "no tokens",
        7: "tokens: expected integers, found null at place 1",
    }


def test_several_models_in_one_pass(
    rater: rally.Model, lm: rally.Model, rater_path: Path, other_rater_path: Path, lm_path: Path, tmp_path: Path
) -> None:
    texts = [*corpora.texts(30, 7), "a"]
    path = tmp_path / "in.parquet"
    corpora.write_parquet(path, {"text": texts})
    also, window = (str(other_rater_path),), 64
    report = rate(rater_path, path, tmp_path / "out", also=also, perplexity=str(lm_path), window=window)
    rows = corpora.read(tmp_path / "out")
    assert (columns(rows, "score") == rater.rate_documents(texts, window).mean).all()
    with rally.Model(other_rater_path) as other:
        scores = other.rate_documents(texts, window).mean
    assert (columns(rows, "score_other") == scores).all()
    np.testing.assert_allclose([row["quantile_other"] for row in rows], (rankdata(scores) - 0.5) / 31, atol=1e-12)
    for text, row in zip(texts[:-1], rows, strict=False):
        assert row["perplexity"] == pytest.approx(perplexity(lm, lm.encode(text), window), rel=1e-5)
    assert rows[-1]["perplexity"] is None
    assert rows[-1]["quantile_perplexity"] is None
    assert list(report["columns"]) == ["score", "score_other", "perplexity"]


def perplexity(lm: rally.Model, row: list[int], window: int) -> float:
    """From the logits, by first principles."""
    losses: list[float] = []
    for start in range(0, len(row) - 1, window - 1):
        piece = row[start : start + window]
        logits = lm.forward([piece])[0].logits
        assert logits is not None
        wide = logits.astype(np.float64)
        total = np.log(np.exp(wide - wide.max(1, keepdims=True)).sum(1)) + wide.max(1)
        losses += [float(total[at] - wide[at, token]) for at, token in enumerate(piece[1:])]
    assert len(losses) == len(row) - 1
    return float(np.exp(np.mean(losses)))


def test_another_tokenizer_reads_the_text(rater_path: Path, tmp_path: Path) -> None:
    bare = models.tokenizer(merges=(), vocab=(*models.byte_alphabet(), models.END), special=(256,), added=(256,))
    bare = replace(bare, bos_token_id=256, eos_token_id=256)
    path = models.write(tmp_path / "bare.onnx", replace(models.RATER, tokenizer=bare))
    texts = corpora.texts(10, 3)
    corpora.write_lines(tmp_path / "in.txt", [text.encode() for text in texts])
    rate(rater_path, tmp_path / "in.txt", tmp_path / "out", also=(str(path),))
    with rally.Model(path) as model:
        assert (columns(corpora.read(tmp_path / "out"), "score_bare") == model.rate_documents(texts).mean).all()
    with pytest.raises(RallyError, match="its tokenizer is another") as caught:
        rate(rater_path, tmp_path / "in.txt", tmp_path / "ids", also=(str(path),), tokens="ids")
    assert caught.value.code == Status.MISMATCH


def test_a_column_of_sources(rater_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    corpora.write_parquet(path, {"text": corpora.texts(30), "kind": ["x", "y", "<b>"] * 10})
    report = rate(rater_path, path, tmp_path / "out", source="kind")
    assert {one["source"]: one["documents"] for one in report["sources"]} == {"x": 10, "y": 10, "<b>": 10}
    assert [row["source"] for row in corpora.read(tmp_path / "out")] == ["x", "y", "<b>"] * 10
    assert "<b>" not in (tmp_path / "out" / "report.html").read_text()


def test_broken_files_are_incomplete_from_where_they_break(rater_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    lines = [json.dumps({"text": text}).encode() for text in corpora.texts(4000)]
    for name in ("a.jsonl.gz", "b.jsonl.zst"):
        corpora.write_lines(folder / name, lines)
        (folder / name).write_bytes((folder / name).read_bytes()[:-100])
    (folder / "c.parquet").write_bytes(b"PAR1 but not really PAR1")
    corpora.write_parquet(folder / "d.parquet", {"body": ["no column of that name"]})
    corpora.write_lines(folder / "e.txt", [b"the last one is read"])
    report = rate(rater_path, folder, tmp_path / "out", commit_tokens=1 << 16, max_windows=1, window=4)
    found = {Path(one["file"]).name: one for one in corpora.rejected(tmp_path / "out")}
    assert set(found) == {"a.jsonl.gz", "b.jsonl.zst", "c.parquet", "d.parquet"}
    assert found["a.jsonl.gz"]["reason"] == "damaged: gzip: it ends before its end"
    assert found["b.jsonl.zst"]["reason"] == "damaged: zstd: it ends before its end"
    assert found["c.parquet"]["reason"].startswith("damaged: ")
    assert found["d.parquet"]["reason"] == "no column 'text'; there are body"
    assert [found[name]["rows"] for name in sorted(found)] == [None, None, None, 1]
    assert {Path(one["file"]).name: one["rows_lost"] for one in report["incomplete"]} == {
        name: one["rows"] for name, one in found.items()
    }
    assert report["sources"][-1]["documents"] == 1


def test_scores_that_are_no_numbers_are_rejected(
    rater: rally.Model, rater_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpora.write_lines(tmp_path / "in.txt", [b"the sea", b"a wind", b"rain"])
    honest = rally.Scorer.rate_documents

    def rate_documents(*arguments: Any) -> rally.DocumentScores:
        found = honest(*arguments)
        found.score[1] = np.nan
        return found

    monkeypatch.setattr(rally.Scorer, "rate_documents", rate_documents)
    rate(rater_path, tmp_path / "in.txt", tmp_path / "out")
    rows = corpora.read(tmp_path / "out")
    assert (columns(rows, "score") == rater.rate(["the sea", "rain"])).all()
    (only,) = corpora.rejected(tmp_path / "out")
    assert (only["row"], only["reason"]) == (1, "the score is not finite")


def test_file_systems_elsewhere(rater: rally.Model, rater_path: Path, tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    own = corpora.texts(9, 2)
    corpora.write_parquet(tmp_path / "in.parquet", {"text": own})
    system.put_file(str(tmp_path / "in.parquet"), "/elsewhere/in/part-0.parquet")
    system.pipe_file("/elsewhere/in/more.txt", b"the sea\n")
    out = "memory://elsewhere/out"
    settings = Settings(str(rater_path), ("memory://elsewhere/in",), out, str(tmp_path / "journal"), threads=1)
    report = score_corpus(settings)
    assert [one["source"] for one in report["sources"]] == ["memory:///elsewhere/in", "memory:///elsewhere/in/more"]
    assert json.loads(system.cat_file("/elsewhere/out/report.json")) == report
    with system.open("/elsewhere/out/scores-00000.parquet") as file:
        rows = pq.read_table(file).to_pylist()
    assert [row["id"] for row in rows][0::8] == [
        "memory:///elsewhere/in/more.txt:0",
        "memory:///elsewhere/in/part-0.parquet:7",
    ]
    assert (columns(rows, "score") == rater.rate_documents(["the sea", *own]).mean).all()
    assert score_corpus(settings) == report
    with pytest.raises(RallyError, match="give one for the journal"):
        score_corpus(replace(settings, journal=None))


def test_what_cannot_be_run(rater_path: Path, lm_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("the sea\n")
    nameless = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")
    Path(nameless).write_text("the sea\n")
    cases: list[tuple[dict[str, Any], Status, str]] = [
        ({"rater": str(lm_path)}, Status.WRONG_KIND, "needs a rater"),
        ({"perplexity": str(rater_path)}, Status.WRONG_KIND, "needs a language model"),
        ({"inputs": (str(tmp_path / "none.txt"),)}, Status.FILE_NOT_FOUND, "none.txt: no file here"),
        ({"inputs": (str(rater_path),)}, Status.INVALID_ARGUMENT, "expected .jsonl"),
        ({"inputs": (nameless,)}, Status.INVALID_ARGUMENT, "expected a name in UTF-8"),
        ({"inputs": (str(tmp_path),)}, Status.INVALID_ARGUMENT, "lies inside of the input"),
        ({"also": (str(rater_path), str(rater_path))}, Status.INVALID_ARGUMENT, "two columns"),
        ({"window": 100000}, Status.INVALID_ARGUMENT, "beyond its longest row"),
        ({"packed": 64}, Status.MISMATCH, "trained on documents"),
    ]
    for changes, code, message in cases:
        given = {"rater": str(rater_path), "inputs": (str(path),), "out": str(tmp_path / "out")}
        with pytest.raises(RallyError, match=message) as caught:
            score_corpus(Settings(**(given | changes)))
        assert caught.value.code == code
    for wrong in ({"format": "csv"}, {"discard": 1.0}, {"shard_rows": 0}, {"packed": 8, "window": 8}, {"inputs": ()}):
        with pytest.raises(RallyError):
            Settings(**({"rater": "r", "inputs": ("i",), "out": "o"} | wrong))


def test_command(rater_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "in.txt"
    path.write_text("the sea\na wind\n")
    arguments = [str(rater_path), str(path), "--out", str(tmp_path / "out"), "--threads", "1"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].startswith(str(tmp_path / "in"))
    assert err.startswith("2 rated · 0 rejected")
    assert main([*arguments[:2], "--out", str(tmp_path / "none"), "--window", "0"]) == 1
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--windows", "8"])
    assert ended.value.code == 2 and not (tmp_path / "none").exists()
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["all"]["documents"] == 2
    assert main([*arguments, "--window", "8"]) == 1
    assert "window was None and is 8" in capsys.readouterr().err
    path.write_text("\xff")
    (tmp_path / "bad.jsonl").write_text("{\n")
    assert main([str(rater_path), str(tmp_path / "bad.jsonl"), "--out", str(tmp_path / "bad")]) == 1
    assert "nothing could be rated" in capsys.readouterr().err


def test_names_of_sources() -> None:
    names = {
        "corpus/wiki-00003-of-00010.jsonl.gz": "corpus/wiki",
        "web/000_00001.parquet": "web",
        "cc_en_head-0000.json.zst": "cc_en_head",
        "part-1.parquet": ".",
        "a/books.v2.txt": "a/books.v2",
        "plain.jsonl": "plain",
    }
    assert {path: source_of(path) for path in names} == names
