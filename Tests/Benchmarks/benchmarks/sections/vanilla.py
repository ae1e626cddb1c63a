"""Rally and llama.cpp on the vanilla 360M shape, the same weights: a prompt of 512, decoding 1, 8 and 32 together."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks import rally_bench
from benchmarks.context import Context
from benchmarks.llama import FORMATS
from benchmarks.measurements import Key
from benchmarks.shapes import VANILLA
from benchmarks.turns import Contender, take_turns

SECTION = "vanilla"
PROMPT = 512
BATCHES = (1, 8, 32)


def prompt_key(engine: str, dtype: str) -> Key:
    """Return the key of the prompt."""
    return Key(SECTION, f"prompt {PROMPT}", engine, VANILLA, dtype)


def decode_key(engine: str, dtype: str, batch: int) -> Key:
    """Return the key of decoding ``batch`` sequences together."""
    return Key(SECTION, f"decode {batch}", engine, VANILLA, dtype)


def run(context: Context) -> None:
    """Take turns, format by format."""
    for dtype in context.plan.formats:
        contenders = [_rally(context, dtype), _llama(context, dtype)]
        take_turns(context.book, contenders, context.plan.repetitions, context.progress)


def _rally(context: Context, dtype: str) -> Contender:
    model = context.files.onnx(VANILLA)

    def run() -> Mapping[Key, float]:
        prompt = rally_bench.prompts(model, dtype, [PROMPT])[PROMPT]
        found = {prompt_key("Rally", dtype): prompt.tokens_per_second}
        runs = rally_bench.decoding(model, dtype, context.plan.generated, BATCHES, drawn=False)
        return found | {decode_key("Rally", dtype, batch): runs[batch].tokens_per_second for batch in BATCHES}

    return Contender(f"Rally {dtype}", run)


def _llama(context: Context, dtype: str) -> Contender:
    model = context.files.gguf(VANILLA, FORMATS[dtype])

    def run() -> Mapping[Key, float]:
        found = {prompt_key("llama.cpp", dtype): context.llama.prompts(model, [PROMPT])[PROMPT]}
        rates = context.llama.decoding(model, context.plan.generated, BATCHES)
        return found | {decode_key("llama.cpp", dtype, batch): rates[batch] for batch in BATCHES}

    return Contender(f"llama.cpp {FORMATS[dtype]}", run)
