"""What the adapters share, without a framework."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import rally
from rally import RallyError, Status
from rally.adapters.rating import DocumentRater
from rally.adapters.tables import TableRater

from conftest import RATER, Corpus

MODULES = {
    "ray": "ray",
    "datasets": "datasets",
    "datatrove": "datatrove",
    "spark": "pyspark",
    "nemo": "nemo_curator",
    "lm_eval": "lm_eval",
}


def table(corpus: Corpus) -> pa.Table:
    return pa.table(corpus.columns())


def test_documents(corpus: Corpus, scorer: rally.Scorer) -> None:
    for documents in (corpus.texts, corpus.tokens):
        ratings = DocumentRater(scorer).rate(documents)
        assert ratings.score.tobytes() == corpus.score.tobytes()
        assert ratings.rated.tolist() == corpus.rated.tolist()
        assert ratings.windows.tolist() == corpus.windows.tolist()
        assert ratings.token_count.tolist() == [len(row or []) for row in corpus.tokens]
        assert ratings.coverage.tolist() == corpus.rated.astype(float).tolist()


@pytest.mark.parametrize("documents", [[], [None], ["", None, []]])
def test_nothing_to_rate(scorer: rally.Scorer, documents: list) -> None:
    ratings = DocumentRater(scorer).rate(documents)
    assert len(ratings) == len(documents)
    assert not ratings.rated.any()
    assert np.isnan(ratings.score).all()


def test_windows(corpus: Corpus, scorer: rally.Scorer) -> None:
    long = [row for row in corpus.tokens if row and len(row) > 500]
    ratings = DocumentRater(scorer, window=100, stride=50, max_windows=7).rate(long)
    found = scorer.rate_documents(long, 100, 50, 7)
    assert ratings.score.tobytes() == found.mean.tobytes()
    assert ratings.coverage.tobytes() == found.coverage.tobytes()
    assert ratings.windows.tolist() == [7] * len(long)


@pytest.mark.parametrize("chunks", [1, 7])
def test_tables(corpus: Corpus, scorer: rally.Scorer, chunks: int) -> None:
    rows = -(-len(corpus.ids) // chunks)
    given = pa.Table.from_batches(table(corpus).to_batches(max_chunksize=rows))
    for how in ({}, {"tokens": "ids"}):
        rated = TableRater(scorer, **how)(given)
        assert rated.drop_columns(["score", "token_count", "windows", "coverage"]) == given
        corpus.check(rated["id"].to_pylist(), rated["score"].to_pylist(), rated["windows"].to_pylist())
        assert TableRater(scorer, **how)(rated) == rated, "columns of these names are replaced"
        batches = TableRater(scorer, **how).batches(given.slice(5).to_batches(max_chunksize=30))
        assert pa.Table.from_batches(batches).combine_chunks() == rated.slice(5).combine_chunks()


def test_types_of_columns(corpus: Corpus, scorer: rally.Scorer) -> None:
    texts, tokens = table(corpus)["text"], table(corpus)["ids"]
    for type_ in (pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary()):
        rated = TableRater(scorer)(pa.table({"id": corpus.ids, "text": texts.cast(type_)}))
        corpus.check(rated["id"].to_pylist(), rated["score"].to_pylist())
    for type_ in (pa.list_(pa.int32()), pa.large_list(pa.uint16())):
        rated = TableRater(scorer, tokens="row")(pa.table({"id": corpus.ids, "row": tokens.cast(type_)}))
        corpus.check(rated["id"].to_pylist(), rated["score"].to_pylist())
    nothing = TableRater(scorer)(pa.table({"text": pa.nulls(3)}))
    assert nothing["score"].to_pylist() == [None] * 3


def test_wrong_columns(corpus: Corpus, scorer: rally.Scorer) -> None:
    for how, reason in [
        ({"text": "words"}, "'words': expected a column of this name, found 'id'"),
        ({"text": "id"}, "'id': expected a column of texts, found int64"),
        ({"tokens": "text"}, "'text': expected a column of lists of token ids, found string"),
    ]:
        with pytest.raises(RallyError, match=reason) as caught:
            TableRater(scorer, **how)(table(corpus))
        assert caught.value.code == Status.INVALID_ARGUMENT
    with pytest.raises(RallyError, match="would be replaced"):
        TableRater(scorer, text="score")
    with pytest.raises(RallyError, match=r"expected a rally\.Scorer, found PosixPath"):
        TableRater(RATER)
    with pytest.raises(TypeError, match="'wide'"):
        TableRater(scorer, wide=1)


def test_tasks_of_a_process_share_a_model(tmp_path: Path) -> None:
    path = tmp_path / "rater.onnx"
    path.write_bytes(RATER.read_bytes())
    rater = TableRater(rally.Scorer(path, threads=1))
    data = pickle.dumps(rater)
    assert len(data) < 1_000

    def opened(data: bytes) -> rally.Model:
        return pickle.loads(data)._rater.scorer.model

    assert opened(data) is opened(data)
    assert opened(data) is not opened(pickle.dumps(TableRater(rally.Scorer(path, threads=1, squash=True))))
    before = opened(data)
    rally.quantize(RATER, path, dtype="int8")
    assert opened(data) is not before
    assert opened(data).info.dtype == "int8"
    path.unlink()
    with pytest.raises(RallyError) as caught:
        opened(data)
    assert caught.value.code == Status.FILE_NOT_FOUND


def test_fingerprint(scorer: rally.Scorer, tmp_path: Path) -> None:
    moved = tmp_path / "moved.onnx"
    moved.write_bytes(RATER.read_bytes())
    same = [TableRater(scorer), TableRater(rally.Scorer(moved, threads=2), text="text", window=None)]
    other = [TableRater(scorer, **how) for how in ({"window": 9}, {"suffix": "_a"}, {"tokens": "ids"}, {"text": "b"})]
    other.append(TableRater(rally.Scorer(RATER, squash=True)))
    assert same[0].fingerprint == same[1].fingerprint
    assert len({rater.fingerprint for rater in same + other}) == 1 + len(other)


IMPORTS = """
import importlib, sys
for module, package in zip(sys.argv[1::2], sys.argv[2::2]):
    sys.modules[package] = None
    try:
        importlib.import_module(f"rally.adapters.{module}")
    except ImportError as error:
        print(error)
"""


def test_a_missing_package_is_named() -> None:
    names = [word for pair in MODULES.items() for word in pair]
    found = subprocess.run([sys.executable, "-c", IMPORTS, *names], capture_output=True, text=True, check=True)
    for (module, package), line in zip(MODULES.items(), found.stdout.splitlines(), strict=True):
        assert f"needs the module '{package}" in line
        assert line.endswith(f'pip install "rally-runtime[{module}]"')
