"""What `rally score` does with scores, against the same in Python."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
import rally
from conftest import run
from rally import select
from rally.score import Settings, score_corpus

RANDOM = np.random.default_rng(2)
SCORES = RANDOM.integers(0, 200, 500).astype(np.float32)


def score(*arguments, code=0, stdin=""):
    result = run("score", *arguments, stdin=stdin)
    assert result.code == code, result
    return result


def objects(result) -> list[dict]:
    return [json.loads(line) for line in result.lines]


def lines(*values: dict) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


SCORED = lines(*({"id": f"d{index}", "score": float(value)} for index, value in enumerate(SCORES)))
TEXTS = lines(*({"id": index, "text": f"the {index % 37} boats of harbour {index}"} for index in range(60)))


def test_the_best_share_stays_in_order():
    for keep, count in [("0.25", 125), ("0.1", 50), ("0.29", 145), ("1", 500), ("1e-9", 1)]:
        result = score("--scored", "--keep", keep, stdin=SCORED)
        kept = [line["id"] for line in objects(result)]
        assert kept == [f"d{place}" for place in select.top(SCORES, count)]
        assert f"500 documents · {count} kept" in result.err
    assert "".join(f"{line}\n" for line in score("--scored", "--keep", 1, stdin=SCORED).lines) == SCORED
    assert score("--scored", "--keep", 0.5, stdin="").lines == []


def test_rated_lines_are_cut_as_scored_ones(rater):
    rated = score("-m", rater, stdin=TEXTS)
    kept = score("-m", rater, "--keep", 0.25, stdin=TEXTS)
    assert len(kept.lines) == 15
    assert kept.lines == score("--scored", "--keep", 0.25, stdin=rated.out).lines
    ranked = objects(score("-m", rater, "--keep", 0.25, "--sort", "--json", stdin=TEXTS))
    assert [line["score"] for line in ranked] == sorted((line["score"] for line in objects(kept)), reverse=True)


def test_weights():
    scores = [0.5, -1.25, 3.0]
    found = objects(score("--scored", "--weights", stdin=lines(*({"score": value} for value in scores))))
    assert np.array([line["weight"] for line in found], np.float32).tolist() == select.softmax_weights(scores).tolist()
    assert list(found[0]) == ["score", "weight"]


def test_a_distribution_is_saved_and_read(rater, tmp_path):
    path = tmp_path / "scores.cdf"
    rated = objects(score("-m", rater, "--save-cdf", path, stdin=TEXTS))
    found = rally.Distribution.load(path)
    with rally.Model(rater) as model:
        longest = model.info.max_position_embeddings
        assert found.label == model.label() == model.label(longest, longest)
    fingerprint = rally.Scorer(rater).fingerprint
    assert found.label == (
        f"version=1 model={fingerprint} measure=score reading=documents window={longest} stride={longest}"
    )
    scores = np.array([line["score"] for line in rated], np.float32)
    twin = rally.Distribution(found.label)
    twin.add(scores)
    assert found.to_bytes() == twin.to_bytes()

    again = objects(score("-m", rater, "--cdf", path, stdin=TEXTS))
    assert [line["quantile"] for line in again] == twin.cdf(scores).tolist()
    assert list(again[0]) == [*rated[0], "quantile"]

    # As older versions wrote labels, and documents showed.
    for label in (f"{fingerprint}:document", f"{fingerprint}:document window {longest} stride {longest}"):
        older = rally.Distribution(label)
        older.add(scores)
        older.save(path)
        assert [line["quantile"] for line in objects(score("-m", rater, "--cdf", path, stdin=TEXTS))] == [
            line["quantile"] for line in again
        ]
        assert score("-m", rater, "--cdf", path, "--window", 20, stdin=TEXTS, code=2)


def test_a_distribution_of_a_corpus_is_read(rater, tmp_path):
    (tmp_path / "in.jsonl").write_text(TEXTS)
    score_corpus(Settings(str(rater), (str(tmp_path / "in.jsonl"),), str(tmp_path / "out"), id="id"))
    rows = pq.read_table(tmp_path / "out" / "scores-00000.parquet").to_pylist()
    path = tmp_path / "out" / "_distributions" / "score.distribution"
    found = objects(score("-m", rater, "--cdf", path, stdin=TEXTS))
    assert [str(line["id"]) for line in found] == [row["id"] for row in rows]
    assert [np.float32(line["score"]) for line in found] == [np.float32(row["score"]) for row in rows]
    assert [line["quantile"] for line in found] == [row["quantile"] for row in rows]


def test_the_label_covers_data_beside_the_file(rater, tmp_path):
    path = tmp_path / "alongside.onnx"
    onnx.save(onnx.load(rater), path, save_as_external_data=True, location="alongside.bin", size_threshold=0)
    score("-m", path, "--save-cdf", tmp_path / "scores.cdf", stdin=TEXTS)
    label = rally.Distribution.load(tmp_path / "scores.cdf").label
    assert f" model={rally.Scorer(path).fingerprint} " in label
    assert rally.Scorer(rater).fingerprint not in label


def test_a_distribution_of_something_else_is_refused(rater, tmp_path):
    path = tmp_path / "scores.cdf"
    score("-m", rater, "--save-cdf", path, stdin=TEXTS)
    for other in (("--window", 8), ("--stride", 4), ("--max-windows", 1), ("--squash",), ("--dtype", "bf16")):
        refused = score("-m", rater, "--cdf", path, *other, stdin=TEXTS, code=2)
        assert refused.lines == []
        assert "expected a distribution of" in refused.err
    score("-m", rater, "--window", 8, "--save-cdf", path, stdin=TEXTS)
    score("-m", rater, "--window", 8, "--stride", 8, "--cdf", path, stdin=TEXTS)
    path.write_bytes(path.read_bytes()[:-1])
    assert str(path) in score("-m", rater, "--cdf", path, stdin=TEXTS, code=3).err
    assert score("-m", rater, "--cdf", tmp_path / "none", stdin=TEXTS, code=3).lines == []


@pytest.mark.parametrize("seed", [0, 7])
def test_acceptance_is_that_of_python(tmp_path, seed):
    path = tmp_path / "scores.cdf"
    made = rally.Distribution("rater:document window 512 stride 512")
    made.add(SCORES)
    made.save(path)
    found = objects(score("--scored", "--cdf", path, "--accept", "64,16", "--seed", seed, stdin=SCORED))
    quantiles = made.cdf(SCORES)
    chances = select.acceptance(quantiles, 64, 16)
    stays = select.decide([f"d{index}" for index in range(500)], chances, "rater", seed)
    assert [line["id"] for line in found] == [f"d{place}" for place in np.flatnonzero(stays)]
    assert [line["quantile"] for line in found] == quantiles[stays].tolist()
    assert [line["acceptance"] for line in found] == chances[stays].tolist()


def test_acceptance_within_the_input(rater):
    found = objects(score("-m", rater, "--accept", "8,2", stdin=TEXTS))
    rated = objects(score("-m", rater, stdin=TEXTS))
    scores = np.array([line["score"] for line in rated], np.float32)
    made = rally.Distribution()
    made.add(scores)
    stays = select.decide(range(60), select.acceptance(made.cdf(scores), 8, 2), rally.Scorer(rater).fingerprint)
    assert [line["id"] for line in found] == np.flatnonzero(stays).tolist()
    assert len(score("-m", rater, "--accept", "8,8", stdin=TEXTS).lines) == 60
    assert score("-m", rater, "--accept", "8,0", stdin=TEXTS).lines == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--keep", "0.5"), "--model"),
        (("--scored", "--keep", "0"), "--keep"),
        (("--scored", "--keep", "nan"), "--keep"),
        (("--scored", "--keep", "0.5", "--weights"), "one way to select"),
        (("--scored", "--accept", "8,9"), "--accept"),
        (("--scored", "--accept", "8"), "--accept"),
        (("--scored", "--accept", "8,2"), "whose scores they are"),
        (("--scored", "--save-cdf", "x"), "whose scores they are"),
        (("--scored", "--also", "x.onnx"), "nothing is rated"),
        (("--scored", "--text"), "nothing is rated"),
    ],
)
def test_wrong_wishes(arguments, reason):
    assert reason in score(*arguments, stdin=SCORED, code=2).err


@pytest.mark.parametrize("line", ['{"id": 1}', '{"score": "1"}', '{"score": null}', '{"score": 1e400}', "[1]"])
def test_lines_without_a_score_are_named(line):
    stopped = score("--scored", "--keep", 1, stdin=lines({"score": 1}) + line, code=5)
    assert "standard input:2: " in stopped.err
    going = score("--scored", "--keep", 1, "--keep-going", stdin=line + "\n" + lines({"score": 1}), code=1)
    assert len(going.lines) == 1


def test_lines_without_a_name_cannot_be_decided_on(rater):
    for line in (lines({"text": "a"}), lines({"text": "a", "id": 1.5}), lines({"text": "a", "id": None})):
        assert '"id"' in score("-m", rater, "--accept", "2,1", stdin=line, code=5).err
    assert len(score("-m", rater, "--accept", "1,1", "--id", "url", stdin=lines({"text": "a", "url": "u"})).lines) == 1
