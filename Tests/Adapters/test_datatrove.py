"""datatrove's local executor with two workers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import rally
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from rally.adapters.datatrove import RallyFilter, RallyRater

from conftest import Corpus

TASKS = 4


@pytest.fixture
def shards(tmp_path: Path, corpus: Corpus) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for shard in range(TASKS):
        rows = list(zip(corpus.ids, corpus.texts, strict=True))[shard::TASKS]
        lines = [
            json.dumps({"id": str(id_), "text": text, "ids": corpus.tokens[id_]}) + "\n" for id_, text in rows if text
        ]
        (folder / f"{shard}.jsonl").write_text("".join(lines))
    return folder


def run(folder: Path, *steps: object) -> object:
    pipeline = [JsonlReader(str(folder)), *steps, JsonlWriter(str(folder.parent / "out"))]
    return LocalPipelineExecutor(pipeline, tasks=TASKS, workers=2, logging_dir=str(folder.parent / "logs")).run()


def written(folder: Path) -> list[dict]:
    lines = b"".join(gzip.decompress(path.read_bytes()) for path in folder.glob("*.jsonl.gz"))
    return [json.loads(line) for line in lines.splitlines()]


@pytest.mark.parametrize("tokens", [None, "ids"])
def test_annotator(shards: Path, corpus: Corpus, scorer: rally.Scorer, tokens: str | None) -> None:
    run(shards, RallyRater(scorer, batch_size=10, tokens=tokens))
    rows = written(shards.parent / "out")
    unread = [id_ for id_, text in zip(corpus.ids, corpus.texts, strict=True) if not text]
    corpus.check(
        [int(row["id"]) for row in rows] + unread,
        [row["metadata"]["score"] for row in rows] + [None] * len(unread),
        [row["metadata"]["windows"] for row in rows] + [0] * len(unread),
    )
    for row in rows:
        assert row["metadata"]["token_count"] == len(corpus.tokens[int(row["id"])])
        assert row["metadata"]["coverage"] == float(corpus.rated[int(row["id"])])


def test_filter(shards: Path, corpus: Corpus, scorer: rally.Scorer) -> None:
    minimum = float(np.nanmedian(corpus.score))
    dropped = shards.parent / "dropped"
    stats = run(shards, RallyFilter(scorer, minimum, JsonlWriter(str(dropped)), batch_size=10))
    kept = {int(row["id"]): row["metadata"]["score"] for row in written(shards.parent / "out")}
    assert sorted(kept) == np.flatnonzero(corpus.score >= minimum).tolist()
    assert all(np.float32(score) == corpus.score[id_] for id_, score in kept.items())
    reasons = {int(row["id"]): row["metadata"]["filter_reason"] for row in written(dropped)}
    below = sorted(id_ for id_, reason in reasons.items() if reason == "below_minimum")
    assert below == np.flatnonzero(corpus.score < minimum).tolist()
    # The reader leaves empty texts out; white space alone is a text that has no tokens.
    blank = [id_ for id_, text in enumerate(corpus.texts) if text and not text.strip()]
    assert sorted(reasons.keys() - set(below)) == blank
    assert {reasons[id_] for id_ in blank} == {"unrated"}
    counted = {name: stat.total for name, stat in stats.stats[1].stats.items()}
    assert counted["forwarded"] == len(kept)
    assert counted["dropped_below_minimum"] == len(below)
