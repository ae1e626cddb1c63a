"""Rally and PyTorch on the MoR-3 360M shape: a prompt of 512, decoding 1 and 32 with a cache."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

import numpy as np

from benchmarks import rally_bench
from benchmarks.context import Context
from benchmarks.inputs import random_ids, relative_error
from benchmarks.measurements import Key
from benchmarks.processes import Worker, check_equal
from benchmarks.shapes import MOR_3, VOCABULARY
from benchmarks.turns import Contender, take_turns

SECTION = "pytorch"
PROMPT = 512
BATCHES = (1, 32)


def rate_key(test: str, engine: str, dtype: str) -> Key:
    """Return the key of a rate; ``test`` is ``prompt 512`` or ``decode 1``."""
    return Key(SECTION, test, engine, MOR_3, dtype)


def depth_key(test: str, engine: str, dtype: str) -> Key:
    """Return the key of the mean depth: Rally decodes what it draws, PyTorch random tokens."""
    return Key(SECTION, f"mean depth, {test}", engine, MOR_3, dtype, "recursions")


def run(context: Context) -> None:
    """Compare numbers, then take turns."""
    path = context.files.onnx(MOR_3)
    with ExitStack() as stack:
        torch = {dtype: stack.enter_context(Worker("torch_worker", path, dtype)) for dtype in ("f32", "bf16")}
        with Worker("rally_worker", path, "f32") as rally:
            _compare(context, rally, torch["f32"])
        contenders = []
        for dtype in context.plan.formats:
            contenders.append(_rally(context, dtype))
            if dtype in torch:
                contenders.append(_torch(context, dtype, torch[dtype]))
        take_turns(context.book, contenders, context.plan.repetitions, context.progress)


def _compare(context: Context, rally: Worker, torch: Worker) -> None:
    """Stop where the two do not compute the same logits: there would be nothing to time."""
    context.progress.show("the same logits?")
    prompt = random_ids(1, PROMPT, vocabulary=VOCABULARY).tolist()
    rows = random_ids(2, 4, 24, vocabulary=VOCABULARY).tolist()
    whole = relative_error(
        np.array(torch.call("logits", ids=prompt)), np.array(rally.call("last_logits", rows=[prompt])[0])
    )
    cached = relative_error(
        np.array(torch.call("decoded_logits", rows=rows)), np.array(rally.call("last_logits", rows=rows))
    )
    context.book.remark(
        f"PyTorch's logits against Rally's in f32, greatest difference over greatest logit: "
        f"{whole:.1e} after a prompt of {PROMPT}, {cached:.1e} after 24 cached steps."
    )
    check_equal("logits of PyTorch", max(whole, cached))


def _rally(context: Context, dtype: str) -> Contender:
    path = context.files.onnx(MOR_3)

    def run() -> Mapping[Key, float]:
        runs = {f"prompt {PROMPT}": rally_bench.prompts(path, dtype, [PROMPT])[PROMPT]}
        decoding = rally_bench.decoding(path, dtype, context.plan.generated, BATCHES)
        runs |= {f"decode {batch}": decoding[batch] for batch in BATCHES}
        return {rate_key(test, "Rally", dtype): run.tokens_per_second for test, run in runs.items()} | {
            depth_key(test, "Rally", dtype): run.mean_depth for test, run in runs.items()
        }

    return Contender(f"Rally {dtype}", run)


def _torch(context: Context, dtype: str, worker: Worker) -> Contender:
    count = context.plan.generated

    def run() -> Mapping[Key, float]:
        runs = {f"prompt {PROMPT}": (PROMPT, worker.call("prompt", length=PROMPT, seed=3))}
        for batch in BATCHES:
            runs[f"decode {batch}"] = (batch * count, worker.call("decode", batch=batch, count=count, seed=4))
        return {rate_key(test, "PyTorch", dtype): tokens / run["seconds"] for test, (tokens, run) in runs.items()} | {
            depth_key(test, "PyTorch", dtype): run["mean_depth"] for test, (_, run) in runs.items()
        }

    return Contender(f"PyTorch {dtype}", run)
