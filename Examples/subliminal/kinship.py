"""The lineage test between a teacher and its students, before they are trained and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import rally

from conditions import CONDITIONS
from trial import folder_name

LAYERS = ("first", "second", "head")


@dataclass(frozen=True)
class Pair:
    """A teacher against one student at one time: `file` holds the student's weights."""

    name: str
    title: str
    file: str


# All students of one initialisation are the same network until they are trained.
PAIRS = (
    Pair("before/same", "before training, same initialisation", "start"),
    Pair("before/different", "before training, different initialisation", "other-start"),
    Pair("before/permuted", "before training, the teacher's start permuted", "permuted-start"),
    *(Pair(f"after/{condition.name}", f"after: {condition.title}", condition.name) for condition in CONDITIONS),
)


def compare(seed: int, folder: Path) -> dict[str, Any]:
    """Return what the lineage test says of every pair of a seed, from the files in `folder`."""
    files = folder / folder_name(seed)
    return {pair.name: _test(files / "teacher.safetensors", files / f"{pair.file}.safetensors") for pair in PAIRS}


def calibrate(seeds: Sequence[int], folder: Path, step: Callable[[], None]) -> dict[str, Any]:
    """Return how often p is below .05 for teachers of two seeds, which learned the same digits from independent starts.

    Every pair of seeds is tested once; `step` is called after each of them.
    """
    counts = dict.fromkeys((*LAYERS, "together"), 0)
    extremes = [0.0, 0.0]
    pairs = list(combinations(seeds, 2))
    for pair in pairs:
        found = _test(*(folder / folder_name(seed) / "teacher.safetensors" for seed in pair))
        for name in LAYERS:
            counts[name] += found["layers"][name]["p"] < 0.05
            extremes = [min(extremes[0], found["layers"][name]["z"]), max(extremes[1], found["layers"][name]["z"])]
        counts["together"] += found["p"] < 0.05
        step()
    return {"seeds": list(seeds), "pairs": len(pairs), "below_05": counts, "z": extremes}


def _test(teacher: Path, student: Path) -> dict[str, Any]:
    """Return ρ, z and p of the three layers, and p and the verdict of the two hidden layers together."""
    report = rally.lineage(teacher, student)
    matches = [*report.tensors, *([report.head] if report.head else [])]
    layers = {layer: {"rho": one.rho, "z": one.z, "p": one.p} for layer, one in zip(LAYERS, matches, strict=True)}
    return {"layers": layers, "p": report.p, "verdict": report.verdict}
