"""Does depth pay: MoR-2, 3 and 4 against vanilla models of the same effective depth, all in Rally, in bf16."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks import rally_bench
from benchmarks.context import Context
from benchmarks.measurements import Key
from benchmarks.shapes import RECURSIVE, VANILLA, VANILLA_34
from benchmarks.turns import Contender, take_turns

SECTION = "depth"
DTYPE = "bf16"
PROMPT, BATCH = 512, 32
TESTS = (f"prompt {PROMPT}", f"decode {BATCH}")


def rate_key(test: str, model: str) -> Key:
    """Return the key of a rate; ``test`` is one of :data:`TESTS`."""
    return Key(SECTION, test, "Rally", model, DTYPE)


def depth_key(test: str, model: str) -> Key:
    """Return the key of the mean depth that the tokens of a test had."""
    return Key(SECTION, f"mean depth, {test}", "Rally", model, DTYPE, "recursions")


def run(context: Context) -> None:
    """Take turns."""
    contenders = [_contender(context, model) for model in (VANILLA, VANILLA_34, *RECURSIVE)]
    take_turns(context.book, contenders, context.plan.repetitions, context.progress)


def _contender(context: Context, model: str) -> Contender:
    path = context.files.onnx(model)

    def run() -> Mapping[Key, float]:
        prompt = rally_bench.prompts(path, DTYPE, [PROMPT])[PROMPT]
        decoding = rally_bench.decoding(path, DTYPE, context.plan.depth_generated, [BATCH])[BATCH]
        found = {}
        for test, result in zip(TESTS, (prompt, decoding), strict=True):
            found[rate_key(test, model)] = result.tokens_per_second
            if model in RECURSIVE:
                found[depth_key(test, model)] = result.mean_depth
        return found

    return Contender(model, run)
