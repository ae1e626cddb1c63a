"""PySpark with two local cores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rally
from pyspark.sql import SparkSession
from rally.adapters.spark import rate

from conftest import Corpus


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    builder = SparkSession.builder.master("local[2]").appName("rally")
    for key, value in {
        "spark.ui.enabled": "false",
        "spark.driver.memory": "1g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "20",
    }.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


def test_two_cores(spark: SparkSession, corpus: Corpus, scorer: rally.Scorer, tmp_path: Path) -> None:
    pq.write_table(pa.table(corpus.columns()), tmp_path / "corpus.parquet")
    frame = spark.read.parquet(str(tmp_path / "corpus.parquet")).repartition(4)
    rated = rate(frame, scorer)
    assert [field.simpleString() for field in rated.schema.fields[-4:]] == [
        "score:float",
        "token_count:bigint",
        "windows:bigint",
        "coverage:float",
    ]
    rows = rated.collect()
    corpus.check([row.id for row in rows], [row.score for row in rows], [row.windows for row in rows])
    assert all(row.text == corpus.texts[row.id] for row in rows)


def test_tokens_beside_an_old_score(spark: SparkSession, scorer: rally.Scorer) -> None:
    frame = spark.createDataFrame([(1.0, [5, 6, 7]), (2.0, None)], "score double, ids array<int>")
    rated, missing = rate(frame, scorer, tokens="ids").collect()
    assert rated.asDict() == {"ids": [5, 6, 7], "score": rated.score, "token_count": 3, "windows": 1, "coverage": 1.0}
    assert rated.score == scorer.rate([[5, 6, 7]])[0]
    assert missing.asDict() == {"ids": None, "score": None, "token_count": 0, "windows": 0, "coverage": 0.0}
