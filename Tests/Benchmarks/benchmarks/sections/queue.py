"""The paper's experiment again: a queue of requests, decoding only, no prompts; a freed place is refilled at once.

Vanilla models and MoR with tokens of all depths together; then MoR with sequences that finish their tokens together,
which is how an engine without depth-wise batching would do it.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks import rally_bench
from benchmarks.context import Context
from benchmarks.measurements import Key
from benchmarks.plan import Queue
from benchmarks.shapes import MOR_3, MOR_4, RECURSIVE, VANILLA, VANILLA_34
from benchmarks.turns import Contender, take_turns

SECTION, SHORT = "queue", "short queue"
#: 200 requests of 256 tokens take ten models and settings as many minutes in bf16, so the long queues run in int8.
DTYPE, SHORT_DTYPE = "int8", "bf16"
DEPTH, SEQUENCE = "depth", "sequence"


def rate_key(section: str, dtype: str, sequences: int, batching: str, model: str) -> Key:
    """Return the key of jobs per second; ``section`` is :data:`SECTION` or :data:`SHORT`."""
    return Key(section, f"{sequences} in flight, {batching}-wise", "Rally", model, dtype, "jobs/s")


def depth_key(section: str, dtype: str, sequences: int, batching: str, model: str) -> Key:
    """Return the key of the mean depth."""
    return Key(section, f"mean depth, {sequences} in flight, {batching}-wise", "Rally", model, dtype, "recursions")


def rows_key(section: str, dtype: str, sequences: int, batching: str, model: str) -> Key:
    """Return the key of the mean number of rows of one pass of the block."""
    return Key(section, f"rows per pass, {sequences} in flight, {batching}-wise", "Rally", model, dtype, "rows")


def run(context: Context) -> None:
    """Work off the long queues once each, the short ones in turns."""
    plan = context.plan
    models = {DEPTH: (VANILLA, VANILLA_34, *RECURSIVE), SEQUENCE: tuple(RECURSIVE)}
    contenders = [
        _contender(context, SECTION, DTYPE, plan.queue, batching, model)
        for batching, names in models.items()
        for model in names
    ]
    contenders += [_contender(context, SECTION, DTYPE, plan.large_queue, DEPTH, model) for model in (VANILLA_34, MOR_4)]
    take_turns(context.book, contenders, 1, context.progress)
    for queue in plan.short_queues:
        contenders = [_contender(context, SHORT, SHORT_DTYPE, queue, batching, MOR_3) for batching in (DEPTH, SEQUENCE)]
        take_turns(context.book, contenders, plan.queue_repetitions, context.progress)


def _contender(context: Context, section: str, dtype: str, queue: Queue, batching: str, model: str) -> Contender:
    path = context.files.onnx(model)

    def run() -> Mapping[Key, float]:
        found = rally_bench.jobs(path, dtype, queue.requests, queue.lengths, queue.sequences, batching)
        who = (section, dtype, queue.sequences, batching, model)
        values = {rate_key(*who): found.jobs_per_second or 0}
        if model in RECURSIVE:
            values |= {depth_key(*who): found.mean_depth, rows_key(*who): found.mean_rows}
        return values

    return Contender(f"{model}, {queue.sequences} in flight, {batching}-wise", run)
