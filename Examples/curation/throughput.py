"""Rates the same documents through each framework with 1 and with 2 workers, one thread each, and prints tokens/s.

    python Examples/curation/throughput.py RATER.onnx [--only NAME …] [--documents N] [--length T] [--json]

The clusters are started before and each has run a job; opening the model is a part of what is timed. Tokens per
processor second are what a core does, also where other programs have a share of the cores.
"""

import argparse
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import rally

CHUNKS = 8
"""Pieces that the documents come in, so that two workers are done at the same time."""

LINE = "{job:10} {workers:7}  {seconds:7.2f}  {tokens_per_second:8}  {tokens_per_processor_second:20}  {load:4}"

Job = Callable[[rally.Scorer, pa.Table, int], int]
"""Rates column "tokens" with so many workers; returns how many documents were."""


def bare(scorer: rally.Scorer, table: pa.Table, workers: int) -> int:
    """Without a framework: one process, as many threads as workers."""
    scorer = rally.Scorer(scorer.path, threads=workers)
    rows = table["tokens"].to_pylist()
    return len(scorer.rate_documents(rows))


def on_datasets(scorer: rally.Scorer, table: pa.Table, workers: int) -> int:
    import datasets
    from rally.adapters.datasets import rate

    datasets.disable_progress_bars()
    size = len(table) // CHUNKS
    rated = rate(datasets.Dataset(table), scorer, num_proc=workers, batch_size=size, tokens="tokens")
    return len(rated)


def on_datatrove(scorer: rally.Scorer, table: pa.Table, workers: int) -> int:
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from rally.adapters.datatrove import RallyRater

    rows = table["tokens"].to_pylist()

    def source(data: object, rank: int, world_size: int):
        for index in range(rank, len(rows), world_size):
            yield Document(text="", id=str(index), metadata={"ids": rows[index]})

    with TemporaryDirectory() as logs:
        steps = [source, RallyRater(scorer, tokens="ids")]
        stats = LocalPipelineExecutor(steps, tasks=CHUNKS, workers=workers, logging_dir=logs).run()
    return int(stats.stats[-1].stats["total"].total)


def on_ray(scorer: rally.Scorer, table: pa.Table, workers: int) -> int:
    import ray
    from rally.adapters.ray import rate

    start_ray()
    documents = ray.data.from_arrow([table.slice(start, len(table) // CHUNKS) for start in starts(table)])
    return (
        rate(documents, scorer, workers=workers, batch_size=len(table) // CHUNKS, tokens="tokens").materialize().count()
    )


def on_spark(scorer: rally.Scorer, table: pa.Table, workers: int) -> int:
    from pyspark.sql import SparkSession
    from rally.adapters.spark import rate

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    active = SparkSession.getActiveSession()
    if active is not None and active.sparkContext.master != f"local[{workers}]":
        active.stop()
    spark = SparkSession.builder.master(f"local[{workers}]").config("spark.ui.enabled", "false").getOrCreate()
    with TemporaryDirectory() as folder:
        for start in starts(table):
            pq.write_table(table.slice(start, len(table) // CHUNKS), f"{folder}/{start}.parquet")
        spark.conf.set("spark.sql.files.openCostInBytes", str(1 << 30))  # a task per file
        return len(rate(spark.read.parquet(folder), scorer, tokens="tokens").select("score").collect())


def on_nemo(scorer: rally.Scorer, table: pa.Table, workers: int) -> int:
    from nemo_curator.backends.ray_data import RayDataExecutor
    from nemo_curator.pipeline import Pipeline
    from nemo_curator.tasks import DocumentBatch
    from rally.adapters.nemo import RallyRater

    start_ray()
    stage = RallyRater(scorer, tokens="tokens").with_(num_workers=workers)
    batches = [DocumentBatch("documents", table.slice(start, len(table) // CHUNKS)) for start in starts(table)]
    return sum(batch.num_items for batch in Pipeline("rate", stages=[stage]).run(RayDataExecutor(), batches))


def start_ray() -> None:
    import ray

    if not ray.is_initialized():
        ray.init(num_cpus=3, include_dashboard=False, object_store_memory=1 << 28, log_to_driver=False)


def starts(table: pa.Table) -> range:
    return range(0, len(table), len(table) // CHUNKS)


JOBS: dict[str, Job] = {
    "bare": bare,
    "datasets": on_datasets,
    "datatrove": on_datatrove,
    "ray": on_ray,
    "spark": on_spark,
    "nemo": on_nemo,
}


class ProcessorTime:
    """Seconds that this process and all below it spend computing, those that end meanwhile included.

    They are looked at twice a second, for no parent tells of children that it did not wait for.
    """

    def __init__(self) -> None:
        self._ticks: dict[int, int] = {}
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.seconds()
            time.sleep(0.5)

    def seconds(self) -> float:
        parents: dict[int, int] = {}
        ticks: dict[int, int] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has just ended
                values = path.read_text().rpartition(")")[2].split()
                process = int(path.parent.name)
                parents[process], ticks[process] = int(values[1]), int(values[11]) + int(values[12])
        for process in parents:
            ancestor = process
            while ancestor in parents and ancestor != os.getpid():
                ancestor = parents[ancestor]
            if ancestor == os.getpid() or process in self._ticks:
                self._ticks[process] = ticks[process]
        return sum(self._ticks.values()) / os.sysconf("SC_CLK_TCK")


def measured(clock: ProcessorTime, name: str, scorer: rally.Scorer, table: pa.Table, workers: int) -> dict[str, object]:
    JOBS[name](scorer, table.slice(0, CHUNKS), workers)
    before, start = clock.seconds(), time.monotonic()
    count = JOBS[name](scorer, table, workers)
    seconds, processor = time.monotonic() - start, clock.seconds() - before
    assert count == len(table), count
    tokens = sum(map(len, table["tokens"].to_pylist()))
    return {
        "job": name,
        "workers": workers,
        "seconds": round(seconds, 2),
        "tokens_per_second": round(tokens / seconds),
        "tokens_per_processor_second": round(tokens / processor),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rater", metavar="RATER.onnx")
    parser.add_argument("--only", nargs="+", choices=JOBS, default=list(JOBS), metavar="NAME", help=", ".join(JOBS))
    parser.add_argument("--documents", type=int, default=128, help="a multiple of 8 (128)")
    parser.add_argument("--length", type=int, default=512, help="tokens of each (512)")
    parser.add_argument("--json", action="store_true", help="a line of JSON per job")
    options = parser.parse_args()
    scorer = rally.Scorer(options.rater, threads=1)
    with rally.Model(options.rater, threads=1) as model:
        vocabulary = model.info.vocab_size
    random = np.random.default_rng(1)
    documents = random.integers(0, vocabulary, (options.documents, options.length)).tolist()
    table = pa.table({"tokens": pa.array(documents, pa.list_(pa.int32()))})
    if not options.json:
        print("job        workers  seconds  tokens/s  per processor second  load")
    clock = ProcessorTime()
    for name in options.only:
        for workers in (1, 2):
            row = measured(clock, name, scorer, table, workers)
            if options.json:
                print(json.dumps(row), flush=True)
            else:
                print(LINE.format(**row), flush=True)


if __name__ == "__main__":
    main()
