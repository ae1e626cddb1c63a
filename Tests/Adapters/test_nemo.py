"""NeMo Curator's pipeline with two workers on a CPU."""

from __future__ import annotations

import pyarrow as pa
import pytest
import rally
from nemo_curator.backends.ray_data import RayDataExecutor
from nemo_curator.pipeline import Pipeline
from nemo_curator.tasks import DocumentBatch
from rally.adapters.nemo import RallyRater

from conftest import Corpus

pytestmark = pytest.mark.usefixtures("ray_cluster")


def test_two_workers(corpus: Corpus, scorer: rally.Scorer) -> None:
    table = pa.table(corpus.columns())
    tasks = [DocumentBatch(dataset_name="corpus", data=table.slice(start, 20)) for start in range(0, len(table), 20)]
    tasks[1].data = tasks[1].to_pandas()
    stage = RallyRater(scorer).with_(num_workers=2)
    pipeline = Pipeline(name="rate", stages=[stage])
    rated = pipeline.run(RayDataExecutor(), initial_tasks=tasks)
    assert {task.dataset_name for task in rated} == {"corpus"}
    result = pa.concat_tables([task.to_pyarrow() for task in rated], promote_options="permissive")
    corpus.check(result["id"].to_pylist(), result["score"].to_pylist(), result["windows"].to_pylist())
