"""The results file: what every seed gave, kept after each of them so that a run can go on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training import LEARNING_RATE, Length
from trial import Record


class OtherSettings(Exception):
    """The file holds results of another experiment."""


class Results:
    """The records of seeds, in one JSON file.

    Parameters
    ----------
    path
        Read where it exists, and written by `keep`.
    length
        What all seeds were trained with; results of another length are refused with `OtherSettings`.
    """

    def __init__(self, path: Path, length: Length) -> None:
        self.path = path
        self.settings: dict[str, Any] = {**asdict(length), "learning_rate": LEARNING_RATE}
        self.seeds: dict[int, Record] = {}
        self.independent: dict[str, Any] = {}
        if path.exists():
            stored = json.loads(path.read_text())
            if stored["settings"] != self.settings:
                raise OtherSettings(
                    f"{path} holds results of {stored['settings']}, this run has {self.settings}; give another --out"
                )
            self.seeds = {int(seed): record for seed, record in stored["seeds"].items()}
            self.independent = stored["independent"]

    def trained(self, seed: int) -> bool:
        """Whether the networks of a seed were trained, and all of them written."""
        return "accuracy" in self.seeds.get(seed, {})

    def compared(self, seed: int) -> bool:
        """Whether the teacher of a seed was compared with its students."""
        return "lineage" in self.seeds.get(seed, {})

    def calibrated(self, seeds: Sequence[int]) -> bool:
        """Whether teachers of these seeds were compared with each other."""
        return bool(self.independent.get("seeds") == list(seeds))

    def keep(self, seed: int, **parts: Any) -> None:
        """Add parts to the record of a seed and write the file, as a whole or not at all."""
        self.seeds[seed] = {**self.seeds.get(seed, {}), **rounded(parts)}
        self.write()

    def write(self, **more: Any) -> None:
        """Write the file, with more keys beside settings and seeds."""
        records = dict(sorted(self.seeds.items()))
        content = {"settings": self.settings, **rounded(more), "independent": self.independent, "seeds": records}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(".part")
        scratch.write_text(json.dumps(content, indent=1) + "\n")
        os.replace(scratch, self.path)


def rounded(value: Any) -> Any:
    """Return JSON with every float to six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return value
