"""Rally through its command `rally bench`, whose JSON has llama-bench's keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, THREADS, ProgramFailed, run_program

COMMAND = ROOT / ".build/release/rally"


@dataclass(frozen=True)
class Rate:
    """What one test of `rally bench` found.

    Attributes
    ----------
    tokens_per_second : float
    mean_depth : float or None
        Recursions per token; None where the command does not say.
    """

    tokens_per_second: float
    mean_depth: float | None


@dataclass(frozen=True)
class Rates:
    """One run of `rally bench`: prompts by length, decoding by the number of sequences together."""

    prompts: dict[int, Rate]
    decoding: dict[int, Rate]


def bench(
    model: Path, dtype: str, *, prompts: Sequence[int] = (), generated: int = 0, batches: Sequence[int] = ()
) -> Rates:
    """Run `rally bench` once, one repetition after its own warm-up.

    Parameters
    ----------
    model : Path
    dtype : {"f32", "bf16", "int8"}
    prompts : sequence of int
        Lengths of prompts, each alone.
    generated : int
        Tokens that each sequence decodes, from an empty context on.
    batches : sequence of int
        Numbers of sequences that are decoded together.
    """
    command: list[str | Path] = [
        COMMAND,
        "bench",
        "-m",
        model,
        "--dtype",
        dtype,
        "-t",
        str(THREADS),
        "-r",
        "1",
        "-o",
        "json",
    ]
    command += ["-p", ",".join(map(str, prompts or [0])), "-n", str(generated)]
    command += ["-npl", ",".join(map(str, batches))] if batches else []
    return _rates(json.loads(run_program(command)))


def _rates(records: list[dict[str, Any]]) -> Rates:
    rates = Rates({}, {})
    for record in records:
        rate = Rate(float(record["avg_ts"]), record.get("mean_depth"))
        if record["n_gen"] == 0:
            rates.prompts[record["n_prompt"]] = rate
        elif record["n_prompt"] == 0:
            rates.decoding[record.get("n_seq", 1)] = rate
        else:
            raise ProgramFailed(f"rally bench: a test that was not asked for: {record}")
    return rates
