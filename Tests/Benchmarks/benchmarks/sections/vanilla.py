"""Rally, llama.cpp, OpenVINO and CTranslate2 on the vanilla 360M shape, the same weights: a prompt of 512, decoding 1, 8
and 32 together."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

import numpy as np

from benchmarks import rally_bench
from benchmarks.context import Context
from benchmarks.inputs import random_ids, relative_error
from benchmarks.llama import FORMATS
from benchmarks.measurements import Key
from benchmarks.processes import PEERS, Worker, check_equal
from benchmarks.shapes import VANILLA, VOCABULARY
from benchmarks.turns import Contender, take_turns

SECTION = "vanilla"
PROMPT = 512
BATCHES = (1, 8, 32)
#: Besides those of the plan: against llama.cpp alone, and int8.
FOUR_BITS = "q4"
PEER_FORMATS = {"OpenVINO": ("f32", "bf16", "int8"), "CTranslate2": ("f32", "int8")}


def prompt_key(engine: str, dtype: str) -> Key:
    """Return the key of the prompt."""
    return Key(SECTION, f"prompt {PROMPT}", engine, VANILLA, dtype)


def decode_key(engine: str, dtype: str, batch: int) -> Key:
    """Return the key of decoding ``batch`` sequences together."""
    return Key(SECTION, f"decode {batch}", engine, VANILLA, dtype)


def run(context: Context) -> None:
    """Compare what the peers compute, then take turns, format by format."""
    folder = context.files.decoder(VANILLA)
    for dtype in (*context.plan.formats, FOUR_BITS):
        with ExitStack() as stack:
            contenders = [_rally(context, dtype), _llama(context, dtype)]
            for engine, formats in PEER_FORMATS.items():
                if dtype in formats:
                    arguments = (engine.lower(), folder, dtype, str(VOCABULARY))
                    peer = stack.enter_context(Worker("decoder_worker", *arguments, python=PEERS))
                    if dtype == "f32":
                        _compare(context, engine, peer)
                    contenders.append(_peer(context, engine, dtype, peer))
            take_turns(context.book, contenders, context.plan.repetitions, context.progress)


def _compare(context: Context, engine: str, peer: Worker) -> None:
    """Stop where a peer computes something else: there would be nothing to time."""
    context.progress.show("the same logits?")
    prompt = random_ids(1, 64, vocabulary=VOCABULARY).tolist()
    with Worker("rally_worker", context.files.onnx(VANILLA), "f32") as rally:
        wanted = np.array(rally.call("last_logits", rows=[prompt])[0])
    check_equal(f"logits of {engine}", relative_error(np.array(peer.call("logits", ids=prompt)), wanted))


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


def _peer(context: Context, engine: str, dtype: str, worker: Worker) -> Contender:
    count = context.plan.generated

    def run() -> Mapping[Key, float]:
        found = {prompt_key(engine, dtype): PROMPT / worker.call("prompt", length=PROMPT, seed=3)["seconds"]}
        for batch in BATCHES:
            seconds = worker.call("decode", batch=batch, count=count, seed=4)["seconds"]
            found[decode_key(engine, dtype, batch)] = batch * count / seconds
        return found

    return Contender(f"{engine} {dtype}", run)
