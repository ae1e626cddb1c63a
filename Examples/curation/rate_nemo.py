"""Rates JSON lines with a NeMo Curator pipeline and writes Parquet."""

import os

import pyarrow.parquet as pq
import rally
import ray
from nemo_curator.backends.ray_data import RayDataExecutor
from nemo_curator.pipeline import Pipeline
from nemo_curator.stages.text.io.reader import JsonlReader
from nemo_curator.stages.text.io.writer import ParquetWriter
from rally.adapters.nemo import RallyRater

from common import arguments, show

if __name__ == "__main__":
    options = arguments(__doc__)
    if "RAY_ADDRESS" not in os.environ:  # a cluster of this machine alone
        ray.init(num_cpus=options.workers + 1, include_dashboard=False, object_store_memory=1 << 28)
    pipeline = Pipeline(
        name="rate",
        stages=[
            JsonlReader(os.path.abspath(options.input)),
            RallyRater(rally.Scorer(options.rater, threads=1)).with_(num_workers=options.workers),
            ParquetWriter(os.path.abspath(options.out)),
        ],
    )
    pipeline.run(RayDataExecutor())
    show(pq.read_table(options.out).to_pylist())
