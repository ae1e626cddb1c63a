"""Where the time of a step goes, and how near its products come to what the machine can do."""

from __future__ import annotations

from benchmarks import rally_bench
from benchmarks.context import Context
from benchmarks.measurements import Key
from benchmarks.rally_bench import Run
from benchmarks.shapes import LAYER_PARAMETERS, MOR_3, RECURSIVE, VANILLA

SECTION = "profile"
FORMATS = ("f32", "bf16", "int8")
PROMPT = 512
BATCHES = (1, 32)


def share_key(test: str, part: str, model: str, dtype: str) -> Key:
    """Return the key of the share of one part of the work."""
    return Key(SECTION, f"{test}: {part}", "Rally", model, dtype, "share")


def product_key(test: str, model: str, dtype: str) -> Key:
    """Return the key of the rate of the layers' products."""
    return Key(SECTION, f"{test}: rate of the layers' products", "Rally", model, dtype, "GFLOP/s")


def run(context: Context) -> None:
    """Run each test once."""
    for model in (VANILLA, MOR_3):
        path = context.files.onnx(model)
        for dtype in FORMATS:
            context.progress.show(f"{model} {dtype}")
            prompt = rally_bench.prompts(path, dtype, [PROMPT])[PROMPT]
            _keep(context, f"prompt {PROMPT}", model, dtype, prompt)
            for batch, decoding in rally_bench.decoding(path, dtype, context.plan.generated, BATCHES).items():
                _keep(context, f"decode {batch}", model, dtype, decoding)


def layers_per_token(model: str, depth: float) -> float:
    """Return how many layers a token of this mean depth runs through."""
    return 2 + RECURSIVE[model].block * depth if model in RECURSIVE else 32


def _keep(context: Context, test: str, model: str, dtype: str, run: Run) -> None:
    whole = sum(run.seconds.values())
    context.book.add({share_key(test, part, model, dtype): value / whole for part, value in run.seconds.items()})
    operations = 2 * run.tokens * layers_per_token(model, run.mean_depth) * LAYER_PARAMETERS
    if run.seconds["products"] > 0:
        context.book.add({product_key(test, model, dtype): operations / run.seconds["products"] * 1e-9})
