"""Rally through its command `rally bench`, whose JSON has llama-bench's keys. Each call opens the model once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import ROOT, THREADS, run_program

COMMAND = ROOT / ".build/release/rally"
#: What tokens are drawn at where depths matter: the most probable tokens of random weights soon repeat themselves,
#: and such loops leave the block earlier than the capacities of the routers say.
TEMPERATURE = "1"


@dataclass(frozen=True)
class Run:
    """What one test of `rally bench` found in one run, after one that warmed up.

    Attributes
    ----------
    tokens_per_second : float
    jobs_per_second : float or None
        Of a queue.
    mean_depth : float
        Recursions per token.
    mean_rows : float
        Rows of one pass of the block.
    tokens : int
    seconds : mapping of str to float
        The driver's time by part of the work.
    """

    tokens_per_second: float
    jobs_per_second: float | None
    mean_depth: float
    mean_rows: float
    tokens: int
    seconds: Mapping[str, float]


def prompts(model: Path, dtype: str, lengths: Sequence[int], warm: bool = True) -> dict[int, Run]:
    """Run prompts, each alone, up to the logits of the last token; by length.

    ``warm``: each after one of its own; else the first of them warms up for all.
    """
    records = _bench(model, dtype, "-p", _list(lengths), "-n", "0", *([] if warm else ["--no-warmup"]))
    return {record["n_prompt"]: _run(record) for record in records}


def decoding(
    model: Path,
    dtype: str,
    generated: int,
    batches: Sequence[int],
    drawn: bool = True,
    exit_threshold: float | None = None,
) -> dict[int, Run]:
    """Decode ``generated`` tokens per sequence after one token; by the number of sequences together.

    ``drawn``: tokens are drawn at :data:`TEMPERATURE`; else the most probable ones are taken. ``exit_threshold``: of a
    looped model, in place of its file's.
    """
    options = ["--temp", TEMPERATURE] if drawn else []
    options += [] if exit_threshold is None else ["--exit-threshold", str(exit_threshold)]
    records = _bench(model, dtype, "-p", "0", "-n", str(generated), "-npl", _list(batches), *options)
    return {record["n_seq"]: _run(record) for record in records}


def jobs(model: Path, dtype: str, count: int, lengths: tuple[int, int], sequences: int, batching: str) -> Run:
    """Work off a queue of requests that begin with one token.

    Parameters
    ----------
    count : int
        Of requests.
    lengths : (int, int)
        Mean and deviation of the tokens that each generates.
    sequences : int
        In flight together.
    batching : {"depth", "sequence"}
    """
    options = ["--jobs", str(count), "--lengths", _list(lengths), "-npl", str(sequences), "--batching", batching]
    options += ["--temp", TEMPERATURE]
    (record,) = _bench(model, dtype, *options)
    return _run(record)


def _bench(model: Path, dtype: str, *options: str) -> list[dict[str, Any]]:
    command: list[str | Path] = [COMMAND, "bench", "-m", model, "--dtype", dtype, "-t", str(THREADS), "-r", "1"]
    records: list[dict[str, Any]] = json.loads(run_program([*command, "-o", "json", *options]))
    return records


def _run(record: Mapping[str, Any]) -> Run:
    return Run(
        tokens_per_second=record["avg_ts"],
        jobs_per_second=record["jobs_per_second"],
        mean_depth=record["mean_depth"],
        mean_rows=record["mean_rows"],
        tokens=sum(record["samples_tokens"]),
        seconds=record["seconds"],
    )


def _list(values: Sequence[int]) -> str:
    return ",".join(map(str, values))
