"""Rally and onnxruntime on the default 50M rater, the same file: rows of 64 to 2048 tokens."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

import numpy as np

from benchmarks.context import Context
from benchmarks.inputs import ragged_lengths, relative_error
from benchmarks.measurements import Key
from benchmarks.processes import Worker, check_equal
from benchmarks.shapes import RATER
from benchmarks.turns import Contender, take_turns

SECTION = "rating"
LEAST, MOST = 64, 2048
#: Sizes of onnxruntime's padded batches that are tried; the best one takes part.
PADDED = (1, 2, 4, 8)
SEED = 6
#: Rows that the sizes are tried on.
SWEPT = 8


def rate_key(engine: str, dtype: str) -> Key:
    """Return the key of a rate."""
    return Key(SECTION, f"rows of {LEAST}–{MOST}", engine, RATER, dtype)


def run(context: Context) -> None:
    """Compare scores, find onnxruntime's best batch, take turns."""
    path = context.files.onnx(RATER)
    lengths = ragged_lengths(5, context.plan.rated_rows, LEAST, MOST)
    with ExitStack() as stack:
        rally = {dtype: stack.enter_context(Worker("rally_worker", path, dtype)) for dtype in ("f32", "bf16", "int8")}
        other = {dtype: stack.enter_context(Worker("onnx_worker", path, dtype)) for dtype in ("f32", "int8")}
        batch = _best_batch(context, other["f32"], lengths[:SWEPT])
        _compare(rally["f32"], other["f32"], lengths[:3])
        contenders = []
        for dtype, worker in rally.items():
            contenders.append(_contender("Rally", dtype, worker, lengths))
            if dtype in other:
                contenders.append(_contender("onnxruntime", dtype, other[dtype], lengths, batch=batch))
        take_turns(context.book, contenders, context.plan.repetitions, context.progress)


def _best_batch(context: Context, worker: Worker, lengths: list[int]) -> int:
    seconds = {}
    for batch in PADDED:
        context.progress.show(f"onnxruntime with batches of {batch}")
        seconds[batch] = worker.call("rate", lengths=lengths, seed=SEED, batch=batch)["seconds"]
    rates = ", ".join(f"{batch}: {sum(lengths) / value:.0f}" for batch, value in seconds.items())
    context.book.remark(
        f"onnxruntime's padded batches, rows sorted by length, tokens/s by rows per batch: {rates}. The best is used."
    )
    return min(seconds, key=lambda batch: seconds[batch])


def _compare(rally: Worker, other: Worker, lengths: list[int]) -> None:
    found = rally.call("rate", lengths=lengths, seed=SEED)["scores"]
    wanted = other.call("rate", lengths=lengths, seed=SEED, batch=1)["scores"]
    check_equal("scores of onnxruntime", relative_error(np.array(found), np.array(wanted)))


def _contender(engine: str, dtype: str, worker: Worker, lengths: list[int], **options: int) -> Contender:
    def run() -> Mapping[Key, float]:
        answer = worker.call("rate", lengths=lengths, seed=SEED, **options)
        return {rate_key(engine, dtype): sum(lengths) / answer["seconds"]}

    return Contender(f"{engine} {dtype}", run)
