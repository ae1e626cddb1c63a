"""llama.cpp through its own llama-bench and llama-batched-bench."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import PACKAGES, THREADS, run_program

#: Rally's formats and their nearest in llama.cpp.
FORMATS = {"f32": "F32", "bf16": "BF16", "int8": "Q8_0", "q4": "Q4_0"}


@dataclass(frozen=True)
class Llama:
    """The programs; tokens per second."""

    programs: Path

    @classmethod
    def built(cls, cache: Path, python: str) -> Llama:
        """Build the programs where they are missing."""
        return cls(Path(run_program([PACKAGES / "build-llama", cache, python]).strip()))

    def prompts(self, model: Path, lengths: Sequence[int], warm: bool = True) -> dict[int, float]:
        """Return the rate of prompts by length; ``warm``: each after one of its own, else after the first of them."""
        command: list[str | Path] = [
            self.programs / "llama-bench",
            "-m",
            model,
            "-t",
            str(THREADS),
            "-r",
            "1",
            "-o",
            "json",
        ]
        command += [] if warm else ["--no-warmup"]
        records = json.loads(run_program([*command, "-n", "0", "-p", ",".join(map(str, lengths))]))
        return {record["n_prompt"]: record["avg_ts"] for record in records}

    def decoding(self, model: Path, generated: int, batches: Sequence[int]) -> dict[int, float]:
        """Return the rate of decoding by the number of sequences together, each from a context of one token on."""
        places = max(batches) * (generated + 1)
        command: list[str | Path] = [
            self.programs / "llama-batched-bench",
            "-m",
            model,
            "-t",
            str(THREADS),
            "-c",
            str(places),
        ]
        command += ["-npp", "1", "-ntg", str(generated), "-npl", ",".join(map(str, batches))]
        lines = run_program([*command, "--output-format", "jsonl"]).splitlines()
        records = [json.loads(line) for line in lines if line.startswith("{")]
        return {record["pl"]: record["speed_tg"] for record in records}
