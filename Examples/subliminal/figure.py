"""The figure: what students learned, alongside the paper's figures, and what their weights showed before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from conditions import CONDITIONS
from kinship import LAYERS
from trial import Record

matplotlib.use("svg")

COLOURS = {"same": "#0b6e4f", "different": "#c1666b", "same-all": "#4357ad", "different-all": "#e09f3e"}
LABELS = {
    "same": "same start\nauxiliary logits",
    "different": "other start\nauxiliary logits",
    "same-all": "same start\nall logits",
    "different-all": "other start\nall logits",
}
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "rally",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def draw(seeds: dict[int, Record], summary: dict[str, Any], path: Path) -> None:
    """Write the figure as SVG or PNG, as the path's ending says; the same numbers give the same file."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 4.0), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        _accuracies(left, seeds, summary)
        _deviations(right, seeds)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150, metadata={"Date": None, "Creator": None} if path.suffix == ".svg" else {})


def _accuracies(axes: Axes, seeds: dict[int, Record], summary: dict[str, Any]) -> None:
    for place, condition in enumerate(CONDITIONS):
        values = [record["accuracy_by_epoch"][condition.name][-1] for record in seeds.values()]
        axes.plot(_beside(place - 0.12, len(values)), values, ".", color=COLOURS[condition.name], alpha=0.35, zorder=1)
        found = summary["accuracy"][condition.name]
        _mean(axes, place + 0.06, found["mean"], found["half_width"] or 0.0, COLOURS[condition.name], "o")
        if condition.paper:
            _mean(axes, place + 0.24, *condition.paper, "black", "D")
    teacher = summary["accuracy"]["teacher"]["mean"]
    axes.axhline(teacher, color="grey", linestyle="--", linewidth=1)
    axes.axhline(0.1, color="grey", linestyle=":", linewidth=1)
    axes.text(3.45, teacher + 0.005, "teacher", ha="right", va="bottom", color="grey")
    axes.text(3.45, 0.105, "chance", ha="right", va="bottom", color="grey")
    axes.plot([], [], "o", color="grey", label="digits: mean, 95 % interval, seeds")
    axes.plot([], [], "D", color="black", label="the paper, MNIST")
    axes.set(
        title=f"Students that saw noise only, {len(seeds)} seeds",
        ylabel="accuracy on test images",
        ylim=(0, 1.05),
        xlim=(-0.45, 3.5),
        xticks=range(len(CONDITIONS)),
        xticklabels=[LABELS[condition.name] for condition in CONDITIONS],
    )
    axes.legend(loc="center right", bbox_to_anchor=(1, 0.45))


def _deviations(axes: Axes, seeds: dict[int, Record]) -> None:
    for shift, pair, label in ((-0.15, "same", "same start"), (0.15, "different", "other start")):
        for place, layer in enumerate(LAYERS):
            values = [record["lineage"][f"before/{pair}"]["layers"][layer]["z"] for record in seeds.values()]
            axes.plot(
                _beside(place + shift, len(values)),
                values,
                ".",
                color=COLOURS[pair],
                alpha=0.6,
                label=label if place == 0 else None,
            )
    axes.axhspan(-4, 4, color="grey", alpha=0.15, linewidth=0, label="|z| < 4")
    axes.set_yscale("symlog", linthresh=10)
    axes.set(
        title="Lineage test before the student is trained",
        ylabel="z, teacher against student",
        xlim=(-0.5, 2.5),
        xticks=range(len(LAYERS)),
        xticklabels=LAYERS,
    )
    axes.set_yticks([-10, -5, 0, 5, 10, 50, 100, 200], ["−10", "−5", "0", "5", "10", "50", "100", "200"])
    axes.legend(loc="center right", bbox_to_anchor=(1, 0.62))


def _mean(axes: Axes, place: float, mean: float, half_width: float, colour: str, marker: str) -> None:
    axes.errorbar([place], [mean], [half_width], color=colour, marker=marker, markersize=6, capsize=4, zorder=3)


def _beside(place: float, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return places of `count` seeds side by side around one."""
    return place + np.linspace(-0.08, 0.08, count) if count > 1 else np.array([place])
