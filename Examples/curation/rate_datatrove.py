"""Rates JSON lines with datatrove, drops what scores below a minimum, and writes JSON lines."""

import gzip
import json
import os
from pathlib import Path

import rally
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from rally.adapters.datatrove import RallyFilter

from common import arguments, show

MINIMUM = -1e9  # of the rater's own scale: take a quantile of its scores over a sample

if __name__ == "__main__":
    options = arguments(__doc__)
    scorer = rally.Scorer(options.rater, threads=1)
    pipeline = [
        JsonlReader(os.path.dirname(os.path.abspath(options.input)), glob_pattern=os.path.basename(options.input)),
        RallyFilter(scorer, MINIMUM),
        JsonlWriter(options.out),
    ]
    # A task reads whole files: a corpus of many shards takes as many tasks, of which `workers` run at a time.
    logs = os.path.join(options.out, "logs")
    LocalPipelineExecutor(pipeline, tasks=options.workers, workers=options.workers, logging_dir=logs).run()
    kept = b"".join(gzip.decompress(path.read_bytes()) for path in Path(options.out).glob("*.jsonl.gz"))
    show({"id": row["id"], **row["metadata"]} for row in map(json.loads, kept.splitlines()))
