"""Rally and onnxruntime on a prompt of 512 of the vanilla shape, the same file, f32.

The graph computes the logits of every row. Rally is measured doing the same, and doing what a prompt needs: those of
the last row.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from benchmarks.context import Context
from benchmarks.measurements import Key
from benchmarks.processes import Worker
from benchmarks.shapes import VANILLA
from benchmarks.turns import Contender, take_turns

SECTION = "graph"
PROMPT = 512
ALL, LAST = f"prompt {PROMPT}, all logits", f"prompt {PROMPT}, last logits"


def rate_key(engine: str, test: str) -> Key:
    """Return the key of a rate; ``test`` is :data:`ALL` or :data:`LAST`."""
    return Key(SECTION, test, engine, VANILLA, "f32")


def run(context: Context) -> None:
    """Take turns."""
    path = context.files.onnx(VANILLA)
    with ExitStack() as stack:
        rally = stack.enter_context(Worker("rally_worker", path, "f32"))
        other = stack.enter_context(Worker("onnx_worker", path, "f32"))

        def run_rally() -> Mapping[Key, float]:
            return {
                rate_key("Rally", test): _rate(rally, all_logits=all_logits)
                for test, all_logits in ((ALL, True), (LAST, False))
            }

        def run_other() -> Mapping[Key, float]:
            return {rate_key("onnxruntime", ALL): _rate(other)}

        contenders = [Contender("Rally", run_rally), Contender("onnxruntime", run_other)]
        for contender in contenders:
            context.progress.show(f"warming up {contender.name}")
            contender.run()
        take_turns(context.book, contenders, context.plan.repetitions, context.progress)


def _rate(worker: Worker, **options: bool) -> float:
    seconds: float = worker.call("prompt", length=PROMPT, seed=7, **options)["seconds"]
    return PROMPT / seconds
