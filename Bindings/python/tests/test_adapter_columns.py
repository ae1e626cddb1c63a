"""Columns as frameworks hand them over, rated by `rally.adapters.tables`; odd rows end no job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import rally
from rally import RallyError, Status
from rally.adapters.rating import DocumentRater
from rally.adapters.tables import TableRater

TEXTS = ["the sea", "a wind in the north", "rain"]
IDS = [[1, 2, 3], [4], [5, 6]]


@pytest.fixture
def scorer(rater_path: Path) -> rally.Scorer:
    return rally.Scorer(rater_path, threads=1)


def scores(scorer: rally.Scorer, column: Any, **how: Any) -> list[float | None]:
    found: list[float | None] = TableRater(scorer, **how)(pa.table({"x": column}))["score"].to_pylist()
    return found


def list_view(rows: list[list[int]]) -> Any:
    flat = pa.array([one for row in rows for one in row], pa.int32())
    sizes = [len(row) for row in rows]
    offsets = np.cumsum([0, *sizes[:-1]])
    return pa.ListViewArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(sizes, pa.int32()), flat)


def ragged(rows: list[list[int]]) -> Any:
    """As Ray stores tensors of different lengths."""
    return pa.StructArray.from_arrays(
        [pa.array(rows, pa.list_(pa.int64())), pa.array([[len(row)] for row in rows], pa.list_(pa.int64()))],
        ["data", "shape"],
    )


def test_texts_of_every_type(scorer: rally.Scorer) -> None:
    alone = scorer.rate_documents(TEXTS).mean.tolist()
    strings = pa.array(TEXTS)
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3], pa.int32()), strings)
    category = pa.Array.from_pandas(pd.Series(TEXTS, dtype="category"))
    for column in (
        strings.dictionary_encode(),
        category,
        runs,
        strings.cast(pa.string_view()),
        pa.chunked_array([TEXTS]),
    ):
        assert scores(scorer, column, text="x") == alone, column.type


def test_ids_of_every_type(scorer: rally.Scorer) -> None:
    alone = scorer.rate_documents(IDS).mean.tolist()
    for column in (list_view(IDS), ragged(IDS), pa.array(IDS, pa.large_list(pa.uint16()))):
        assert scores(scorer, column, tokens="x") == alone, column.type
    equal = pa.FixedShapeTensorArray.from_numpy_ndarray(np.array([[1, 2], [3, 4]]))
    assert scores(scorer, equal, tokens="x") == scorer.rate_documents([[1, 2], [3, 4]]).mean.tolist()
    within = pa.table({"meta": [{"ids": ids} for ids in IDS], "body": [{"text": text} for text in TEXTS]})
    assert TableRater(scorer, tokens="meta.ids")(within)["score"].to_pylist() == alone
    assert (
        TableRater(scorer, text="body.text")(within)["score"].to_pylist() == scorer.rate_documents(TEXTS).score.tolist()
    )
    with pytest.raises(RallyError, match=r"'body\.id': expected a column of this name, found 'meta', 'body'"):
        TableRater(scorer, text="body.id")(within)
    for column in (pa.array([[], None], pa.list_(pa.null())), pa.nulls(2), pa.array([[], []], pa.list_(pa.int64()))):
        assert scores(scorer, column, tokens="x") == [None, None]


def test_odd_rows_have_no_score_and_a_reason(scorer: rally.Scorer, caplog: pytest.LogCaptureFixture) -> None:
    raw = pa.array([b"the sea", b"caf\xe9", b"rain"], pa.binary())
    strings = pa.StringArray.from_buffers(3, raw.buffers()[1], raw.buffers()[2])
    alone = scorer.rate_documents(["the sea", "rain"]).mean.tolist()
    assert scores(scorer, strings, text="x") == [alone[0], None, alone[1]]
    assert "1 of 3 documents have no score; row 1: text: not Unicode" in caplog.text
    found = scores(scorer, pa.array([[1, 2], [10**6], [3, None], [-1], [3]]), tokens="x")
    assert [one is None for one in found] == [False, True, True, True, False]
    assert "row 1: tokens: expected ids in [0, " in caplog.text
    ratings = DocumentRater(scorer).rate(["half \ud800", [3, None], float("nan"), pd.NA, 7, "rain", np.array([1.5])])
    assert ratings.rated.tolist() == [False] * 5 + [True, False]
    assert ratings.problems[1] == "tokens: expected integers, found null at place 1"
    assert sorted(ratings.problems) == [0, 1, 4, 6]


def test_no_rows_have_the_columns(scorer: rally.Scorer) -> None:
    table = TableRater(scorer, text="x")(pa.table({"x": pa.array([], pa.string())}))
    assert table.column_names == ["x", "score", "token_count", "windows", "coverage"]
    assert table.num_rows == 0


def test_models_take_columns_of_texts(rater: rally.Model) -> None:
    alone = rater.rate(TEXTS)
    for column in (
        np.array(TEXTS, object),
        np.array(TEXTS),
        pa.array(TEXTS),
        pa.chunked_array([TEXTS]),
        pd.Series(TEXTS),
        pd.Series(TEXTS, dtype="category"),
        (text for text in TEXTS),
    ):
        assert (rater.rate(column) == alone).all(), type(column)
    for wrong, message in (
        ([[1], [2, 3, None]], "row 1: expected integers, found null at place 2"),
        (["the sea", None], "row 1: expected a text, found null"),
        (pd.Series(["the sea", float("nan")], dtype=object), "row 1: expected a text, found nan"),
        (
            ["the sea", "half \ud83d"],
            r"row 1: expected Unicode, found half of a surrogate pair, U\+D83D, at character 5",
        ),
    ):
        with pytest.raises(RallyError, match=message) as caught:
            rater.rate(wrong)
        assert caught.value.code == Status.INVALID_ARGUMENT


TEMPLATE = "{meta.url}: {text}"


def test_a_template_takes_columns_and_objects_within(scorer: rally.Scorer) -> None:
    table = pa.table({"text": TEXTS, "meta": [{"url": "a.org"}, {"url": None}, {"url": "b.org"}], "n": [1, 2, 3]})
    found = TableRater(scorer, template=TEMPLATE)(table)["score"].to_pylist()
    expected = scorer.rate_documents([f"a.org: {TEXTS[0]}", f"b.org: {TEXTS[2]}"]).score.tolist()
    assert found == [expected[0], None, expected[1]]
    numbers = TableRater(scorer, template="{n} {text}")(table)["score"].to_pylist()
    assert numbers == scorer.rate_documents([f"{n} {text}" for n, text in enumerate(TEXTS, 1)]).score.tolist()
    with pytest.raises(RallyError, match=r"'title'.*template"):
        TableRater(scorer, template="{title} {text}")(table)
    with pytest.raises(RallyError, match=r"no \{text\}"):
        TableRater(scorer, template="{title}")


def test_the_template_of_the_file_and_readings(tmp_path: Path, scorer: rally.Scorer) -> None:
    path = models.write(tmp_path / "rater.onnx", replace(models.RATER, text_template="{url}\n\n{text}"))
    own = rally.Scorer(path, threads=1)
    table = pa.table({"text": TEXTS, "url": ["a", "b", "c"]})
    expected = own.rate_documents([f"{url}\n\n{text}" for url, text in zip("abc", TEXTS, strict=True)])
    assert TableRater(own)(table)["score"].to_pylist() == expected.score.tolist()
    assert TableRater(own, template="{text}")(table)["score"].to_pylist() == own.rate_documents(TEXTS).score.tolist()
    assert "template=file" in TableRater(own).label
    assert TableRater(own, template="{text}").label == own.label()
    reading = rally.Reading("first", characters=9)
    rater = TableRater(scorer, reading=reading, window=4)
    assert rater(table)["score"].to_pylist() == scorer.rate_documents(TEXTS, 4, reading=reading).score.tolist()
    assert rater.label == scorer.label(4, more="part=first characters=9")
    assert rater.fingerprint != TableRater(scorer, window=4).fingerprint
    assert DocumentRater(own).members == ("url",)
    assert DocumentRater(own).rate(["the sea"]).problems == {0: "no url, which stands in the rater's text template"}
