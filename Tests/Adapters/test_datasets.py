"""Hugging Face datasets, in two processes, through its cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rally
from rally import RallyError
from rally.adapters.datasets import rate
from rally.adapters.tables import TableRater

from conftest import RATER, Corpus

datasets.disable_progress_bars()


@pytest.fixture
def source(tmp_path: Path, corpus: Corpus) -> Path:
    path = tmp_path / "corpus.parquet"
    pq.write_table(pa.table(corpus.columns()), path)
    return path


def load(source: Path) -> datasets.Dataset:
    return datasets.Dataset.from_parquet(str(source), cache_dir=str(source.parent / "cache"))


def caches(dataset: datasets.Dataset) -> list[tuple[str, int]]:
    return [(file["filename"], os.stat(file["filename"]).st_mtime_ns) for file in dataset.cache_files]


@pytest.mark.parametrize("column", [{}, {"tokens": "ids"}])
def test_two_processes(source: Path, corpus: Corpus, scorer: rally.Scorer, column: dict[str, str]) -> None:
    rated = rate(load(source), scorer, num_proc=2, batch_size=20, **column)
    assert rated.column_names == ["id", "text", "ids", "score", "token_count", "windows", "coverage"]
    assert rated.features["score"].dtype == "float32"
    corpus.check(rated["id"][:], rated["score"][:], rated["windows"][:])
    assert rated["text"][:] == corpus.texts
    # The rater's tokenizer drops white space at the ends.
    assert rated.filter(lambda row: row["score"] is None)["text"][:] == ["", None, "\n"]


def test_the_format_stays(source: Path, scorer: rally.Scorer) -> None:
    rated = rate(load(source).select(range(5)).with_format("numpy", dtype="float32"), scorer)
    assert rated.format["type"] == "numpy"
    assert rated.format["format_kwargs"] == {"dtype": "float32"}


def test_splits_are_refused(source: Path, scorer: rally.Scorer) -> None:
    with pytest.raises(RallyError, match="found DatasetDict; rate its splits one by one"):
        rate(datasets.DatasetDict(train=load(source)), scorer)


RATE_AGAIN = """
import sys, datasets, rally
from rally.adapters.datasets import rate
dataset = datasets.Dataset.from_parquet(sys.argv[1], cache_dir=sys.argv[2])
rated = rate(dataset, rally.Scorer(sys.argv[3], threads=2, batch_tokens=64), num_proc=2, batch_size=20)
print(*sorted(file["filename"] for file in rated.cache_files), sep="\\n")
"""


def test_the_cache_knows_the_rater_by_its_content(source: Path, scorer: rally.Scorer, tmp_path: Path) -> None:
    first = rate(load(source), scorer, num_proc=2, batch_size=20)
    moved = tmp_path / "other" / "name.onnx"
    moved.parent.mkdir()
    shutil.copy(RATER, moved)

    again = rate(load(source), rally.Scorer(moved), num_proc=2)
    assert caches(again) == caches(first)
    elsewhere = [sys.executable, "-c", RATE_AGAIN, source, source.parent / "cache", moved]
    found = subprocess.run(elsewhere, capture_output=True, text=True, check=True).stdout.split()
    assert found == sorted(name for name, _ in caches(first))
    assert caches(again) == caches(first), "not even touched"

    rally.quantize(RATER, moved, dtype="int8")
    other = rate(load(source), rally.Scorer(moved), num_proc=2)
    assert {name for name, _ in caches(other)}.isdisjoint(name for name, _ in caches(first))
    assert other["score"][:] != first["score"][:]
    narrow = rate(load(source), scorer, window=64)
    assert narrow["windows"][:] != first["windows"][:]


def test_a_stream(source: Path, corpus: Corpus, scorer: rally.Scorer) -> None:
    stream = datasets.load_dataset("parquet", data_files=str(source), split="train", streaming=True)
    rated = list(stream.with_format("arrow").map(TableRater(scorer), batched=True, batch_size=50).with_format(None))
    corpus.check([row["id"] for row in rated], [row["score"] for row in rated])
