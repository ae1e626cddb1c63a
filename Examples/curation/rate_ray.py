"""Rates JSON lines with Ray Data, on a pool of actors, and writes Parquet."""

import os

import pyarrow.parquet as pq
import rally
import ray
from rally.adapters.ray import rate

from common import arguments, show

if __name__ == "__main__":
    options = arguments(__doc__)
    if "RAY_ADDRESS" not in os.environ:  # a cluster of this machine alone; one core more, for reading and writing
        ray.init(num_cpus=options.workers + 1, include_dashboard=False, object_store_memory=1 << 28)
    documents = ray.data.read_json(os.path.abspath(options.input))  # a block per file, or per 128 MiB
    rated = rate(documents, rally.Scorer(options.rater, threads=1), workers=options.workers)
    rated.write_parquet(os.path.abspath(options.out))
    show(pq.read_table(options.out).to_pylist())
