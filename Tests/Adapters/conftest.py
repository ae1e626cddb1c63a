"""The rater, the documents that every job rates, and what they must get: the model's own word for each alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rally

ROOT = Path(__file__).resolve().parents[2]
RATER = ROOT / "Examples/models/rally-rater-tiny.onnx"

# Nothing here may look for a hub, report to anybody, or be slowed down by a dashboard.
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "PYSPARK_PYTHON": sys.executable,
    "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # a JVM of seconds gains nothing by compiling more
}


class Corpus(NamedTuple):
    """D documents and their scores, in the order of `ids`."""

    ids: list[int]
    texts: list[str | None]
    tokens: list[list[int] | None]
    score: np.ndarray  # [D] float32, NaN where there is nothing to rate
    windows: np.ndarray  # [D] int64

    @property
    def rated(self) -> np.ndarray:
        return ~np.isnan(self.score)

    def columns(self) -> dict[str, list]:
        return {"id": self.ids, "text": self.texts, "ids": self.tokens}

    def check(self, ids: list[int], scores: list[float | None], windows: list[int] | None = None) -> None:
        """Every document once, with the very bits of its score; None for those that cannot be rated."""
        assert sorted(ids) == self.ids
        found = np.full(len(ids), np.nan, np.float32)
        for id_, score in zip(ids, scores, strict=True):
            assert (score is None) == (not self.rated[id_]), id_
            if score is not None:
                assert float(np.float32(score)) == score, "a float32, however it is written"
                found[id_] = score
        assert found.tobytes() == self.score.tobytes()
        if windows is not None:
            assert [int(windows[ids.index(id_)]) for id_ in self.ids] == self.windows.tolist()


def _texts() -> list[str | None]:
    lines = [json.loads(line)["text"] for line in (ROOT / "Examples/texts.jsonl").read_text().splitlines()]
    random = np.random.default_rng(5)
    words = " ".join(lines).split()
    drawn = [" ".join(random.choice(words, random.integers(3, 40))) for _ in range(40)]
    long = [" ".join(random.choice(words, count)) for count in (300, 500)]
    return [*lines, *drawn[:20], "", None, *drawn[20:], *long, "Größe ≠ 大きさ 🙂", "\n"]


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    texts = _texts()
    with rally.Model(RATER, threads=2) as model:
        tokens = [None if text is None else model.encode(text) for text in texts]
        longest = model.info.max_position_embeddings
        score, windows = np.full(len(texts), np.nan, np.float32), np.zeros(len(texts), np.int64)
        for index, row in enumerate(tokens):
            if row and len(row) <= longest:
                score[index], windows[index] = model.rate([row])[0], 1
            elif row:
                found = model.rate_documents([row])
                score[index], windows[index] = found.mean[0], found.window_counts[0]
    assert windows.max() > 1
    assert np.isnan(score).sum() >= 1
    return Corpus(list(range(len(texts))), texts, tokens, score, windows)


@pytest.fixture
def scorer() -> rally.Scorer:
    return rally.Scorer(RATER, threads=1)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """Two cores' worth of Ray on this machine."""
    import ray

    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=200 << 20, log_to_driver=False)
    yield
    ray.shutdown()
