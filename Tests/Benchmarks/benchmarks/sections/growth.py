"""How things grow: decoding with the batch, prompts with their length, rating with the number of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from benchmarks import rally_bench
from benchmarks.context import Context
from benchmarks.llama import FORMATS
from benchmarks.measurements import Key
from benchmarks.processes import Worker
from benchmarks.shapes import MOR_3, RATER, VANILLA
from benchmarks.turns import Contender, take_turns

BATCH, PROMPT, RATING = "batch growth", "prompt growth", "rating growth"
#: Curves of decoding and prompts: engine, model, format.
CURVES = (
    ("Rally", MOR_3, "int8"),
    ("Rally", MOR_3, "bf16"),
    ("Rally", VANILLA, "int8"),
    ("Rally", VANILLA, "bf16"),
    ("llama.cpp", VANILLA, "int8"),
    ("llama.cpp", VANILLA, "bf16"),
)
#: Curves of rating.
RATING_CURVES = (("Rally", "f32"), ("Rally", "int8"), ("onnxruntime", "f32"))
RATED_LENGTH = 512
#: A prompt that warms up for all.
WARM_UP = 64


def run(context: Context) -> None:
    """Take turns, curve by curve."""
    plan = context.plan
    contenders = [_language_model(context, *curve) for curve in CURVES]
    take_turns(context.book, contenders, plan.growth_repetitions, context.progress)
    with ExitStack() as stack:
        path = context.files.onnx(RATER)
        modules = {"Rally": "rally_worker", "onnxruntime": "onnx_worker"}
        contenders = [
            _rater(engine, dtype, stack.enter_context(Worker(modules[engine], path, dtype)), plan.growth_rows)
            for engine, dtype in RATING_CURVES
        ]
        take_turns(context.book, contenders, plan.growth_repetitions, context.progress)


def _language_model(context: Context, engine: str, model: str, dtype: str) -> Contender:
    plan = context.plan
    prompts, batches, generated = plan.growth_prompts, plan.growth_batches, plan.growth_generated

    def run_rally() -> tuple[Mapping[int, float], Mapping[int, float]]:
        path = context.files.onnx(model)
        by_length = rally_bench.prompts(path, dtype, (WARM_UP, *prompts), warm=False)
        by_batch = rally_bench.decoding(path, dtype, generated, batches)
        return (
            {length: run.tokens_per_second for length, run in by_length.items()},
            {batch: run.tokens_per_second for batch, run in by_batch.items()},
        )

    def run_llama() -> tuple[Mapping[int, float], Mapping[int, float]]:
        path = context.files.gguf(model, FORMATS[dtype])
        by_length = context.llama.prompts(path, (WARM_UP, *prompts), warm=False)
        return by_length, context.llama.decoding(path, generated, batches)

    def run() -> Mapping[Key, float]:
        by_length, by_batch = run_rally() if engine == "Rally" else run_llama()
        found = {Key(PROMPT, f"{length}", engine, model, dtype, "s"): length / by_length[length] for length in prompts}
        return found | {Key(BATCH, f"{batch}", engine, model, dtype): by_batch[batch] for batch in batches}

    return Contender(f"{engine} {model} {dtype}", run)


def _rater(engine: str, dtype: str, worker: Worker, row_counts: Sequence[int]) -> Contender:
    def run() -> Mapping[Key, float]:
        found = {}
        for count in row_counts:
            options = {} if engine == "Rally" else {"batch": 1}
            answer = worker.call("rate", lengths=[RATED_LENGTH] * count, seed=8, **options)
            found[Key(RATING, f"{count * RATED_LENGTH}", engine, RATER, dtype, "s")] = answer["seconds"]
        return found

    return Contender(f"{engine} {RATER} {dtype}", run)
