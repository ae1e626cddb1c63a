"""Mean depth and perplexity of the shipped model under depth budgets: a table, and the plot `depth-budget.svg`.

PYTHONPATH=Tests/Benchmarks .venv/bin/python -m benchmarks.depth_budget
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import rally
from matplotlib.figure import Figure

from benchmarks.plots import COLOURS, STYLE

ROOT = Path(__file__).resolve().parents[3]
MODEL = ROOT / "Examples" / "models" / "rally-tiny.onnx"
TEXT = ROOT / "Tests" / "Fixtures" / "texts" / "alice.txt"
PLOT = ROOT / "Tests" / "Benchmarks" / "plots" / "depth-budget.svg"
TARGETS = (1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0)


@dataclass(frozen=True, slots=True)
class Point:
    """A budget and what came of it; `spread` is the standard deviation of the rows' mean depths."""

    budget: str
    wanted: float | None
    depth: float
    spread: float
    perplexity: float
    bits_per_byte: float


def main() -> None:
    """Measure, print the table, draw the plot."""
    model = rally.Model(MODEL, dtype="f32")
    tokens = model.encode(TEXT.read_bytes())
    length = model.info.max_position_embeddings
    rows = [tokens[start : start + length] for start in range(0, len(tokens) - length + 1, length)]
    free = [_measure(model, rows, "none", None)]
    targets = [_measure(model, rows, f"target {wanted}", wanted, target_depth=wanted) for wanted in TARGETS]
    limits = [_measure(model, rows, f"at most {k}", None, max_depth=k) for k in range(1, model.info.num_recursion)]
    print(f"{TEXT.name}, {len(rows)} rows of {length} tokens\n")
    _print(free + targets + limits)
    _draw(free, targets, limits)


def _measure(model: rally.Model, rows: Sequence[Sequence[int]], budget: str, wanted: float | None, **how: Any) -> Point:
    depths = [forward.depth.mean() for forward in model.forward(rows, logits=False, **how)]
    losses = -np.concatenate(model.logprobs(rows, **how)).astype(np.float64)
    bytes_read = sum(len(model.decode(row[1:]).encode()) for row in rows)
    return Point(
        budget,
        wanted,
        float(np.mean(depths)),
        float(np.std(depths)),
        float(np.exp(losses.mean())),
        float(losses.sum() / np.log(2) / bytes_read),
    )


def _print(points: Sequence[Point]) -> None:
    print("| budget | mean depth | off | rows ± | perplexity | bits per byte |")
    print("|---|---:|---:|---:|---:|---:|")
    for point in points:
        off = "" if point.wanted is None else f"{(point.depth / point.wanted - 1) * 100:+.1f} %"
        print(
            f"| {point.budget} | {point.depth:.3f} | {off} | {point.spread:.3f} "
            f"| {point.perplexity:.2f} | {point.bits_per_byte:.4f} |"
        )


def _draw(free: Sequence[Point], targets: Sequence[Point], limits: Sequence[Point]) -> None:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for points, label, how in (
            (targets, "target_depth", {"marker": "o", "color": COLOURS["Rally"]}),
            (limits, "max_depth", {"marker": "s", "color": COLOURS["PyTorch"], "linestyle": "none"}),
            (free, "no budget", {"marker": "*", "markersize": 11, "color": COLOURS["llama.cpp"], "linestyle": "none"}),
        ):
            axes.plot([point.depth for point in points], [point.perplexity for point in points], label=label, **how)
        axes.set(xlabel="mean depth, recursions per token", ylabel="perplexity, Alice in Wonderland")
        axes.legend()
        figure.savefig(PLOT, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
