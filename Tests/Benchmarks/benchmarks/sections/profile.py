"""Where the time of a step goes, and how near its products come to what the machine can do."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks import rally_bench
from benchmarks.context import Context
from benchmarks.measurements import Key
from benchmarks.rally_bench import Run
from benchmarks.shapes import LAYER_PARAMETERS, MOR_3, RECURSIVE, VANILLA
from benchmarks.turns import Contender, take_turns

SECTION = "profile"
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
    contenders = [_contender(context, model, dtype) for model in (VANILLA, MOR_3) for dtype in context.plan.formats]
    take_turns(context.book, contenders, 1, context.progress)


def layers_per_token(model: str, depth: float) -> float:
    """Return how many layers a token of this mean depth runs through."""
    return 2 + RECURSIVE[model].block * depth if model in RECURSIVE else 32


def _contender(context: Context, model: str, dtype: str) -> Contender:
    path = context.files.onnx(model)

    def run() -> Mapping[Key, float]:
        runs = {f"prompt {PROMPT}": rally_bench.prompts(path, dtype, [PROMPT])[PROMPT]}
        for batch, decoding in rally_bench.decoding(path, dtype, context.plan.generated, BATCHES).items():
            runs[f"decode {batch}"] = decoding
        found: dict[Key, float] = {}
        for test, result in runs.items():
            found |= _parts(test, model, dtype, result)
        return found

    return Contender(f"{model} {dtype}", run)


def _parts(test: str, model: str, dtype: str, run: Run) -> Mapping[Key, float]:
    whole = sum(run.seconds.values())
    shares = {share_key(test, part, model, dtype): value / whole for part, value in run.seconds.items()}
    operations = 2 * run.tokens * layers_per_token(model, run.mean_depth) * LAYER_PARAMETERS
    return shares | {product_key(test, model, dtype): operations / run.seconds["products"] * 1e-9}
