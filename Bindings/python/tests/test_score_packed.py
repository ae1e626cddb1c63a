"""Packed sequences: the very tokens of the corpus end to end, none lost, none twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import corpora
import models
import numpy as np
import pytest

import rally
from rally.score import Run, Settings, score_corpus

LENGTH = 64
END = models.TOKENIZER.eos_token_id


@pytest.fixture(scope="module")
def packed_path(folder: Path) -> Path:
    return models.write(folder / "packed.onnx", replace(models.RATER, packing="packed"))


def settings(rater: Path, inputs: Path, out: Path, **changes: Any) -> Settings:
    how: dict[str, Any] = {"packed": LENGTH, "id": "id", "threads": 1, "commit_tokens": 500} | changes
    return Settings(str(rater), (str(inputs),), str(out), **how)


def test_sequences(packed_path: Path, tmp_path: Path) -> None:
    corpus = corpora.mixed(tmp_path / "in", 30)
    report = score_corpus(settings(packed_path, corpus.folder, tmp_path / "out"))
    rows = corpora.read(tmp_path / "out")
    with rally.Model(packed_path) as model:
        sequences = []
        for source in "abc":
            own = [text for key, text in corpus.texts.items() if key.startswith(source)]
            stream = [token for text in own for token in [*model.encode(text), END]]
            sequences += [stream[start : start + LENGTH] for start in range(0, len(stream), LENGTH)]
        assert [row["token_count"] for row in rows] == [len(sequence) for sequence in sequences]
        assert (np.array([row["score"] for row in rows], np.float32) == model.rate(sequences)).all()
        # An end token within, but for the last place, separates two documents.
        assert [row["documents"] for row in rows] == [1 + sequence[:-1].count(END) for sequence in sequences]
    assert rows[0]["id"] == "a0@0"
    assert len({row["id"] for row in rows}) == len(rows)
    assert report["columns"]["score"]["label"].endswith(" measure=score reading=rows tokens=64")
    assert report["all"]["rejected"] == corpus.bad == len(corpora.rejected(tmp_path / "out"))


def test_documents_by_a_rater_of_packed_sequences(packed_path: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("the sea\n")
    run = Run(settings(packed_path, tmp_path / "in.txt", tmp_path / "out", packed=None, id=None))
    assert run.warnings
    assert "trained on packed sequences" in run.warnings[0]
    assert " reading=documents " in run.finish()["columns"]["score"]["label"]
    run.close()
