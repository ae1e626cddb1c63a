"""Ray Data, with a pool of two actors."""

from __future__ import annotations

import pyarrow as pa
import pytest
import rally
import ray
from rally.adapters.ray import Rater, rate

from conftest import Corpus

pytestmark = pytest.mark.usefixtures("ray_cluster")


def test_two_actors(corpus: Corpus, scorer: rally.Scorer) -> None:
    dataset = ray.data.from_arrow(pa.table(corpus.columns())).repartition(6)
    rated = rate(dataset, scorer, workers=2, cpus_per_worker=0.5, batch_size=20).take_all()
    corpus.check([row["id"] for row in rated], [row["score"] for row in rated], [row["windows"] for row in rated])
    for row in rated:
        assert row["text"] == corpus.texts[row["id"]]


def test_the_class_as_it_is(corpus: Corpus, scorer: rally.Scorer) -> None:
    dataset = ray.data.from_arrow(pa.table(corpus.columns())).repartition(4)
    rated = dataset.map_batches(
        Rater,
        fn_constructor_args=[scorer],
        fn_constructor_kwargs={"suffix": "_tiny", "tokens": "ids"},
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=2),
        num_cpus=0.5,
    )
    assert rated.schema().names[-4:] == ["score_tiny", "token_count_tiny", "windows_tiny", "coverage_tiny"]
    rows = rated.take_all()
    corpus.check([row["id"] for row in rows], [row["score_tiny"] for row in rows])
