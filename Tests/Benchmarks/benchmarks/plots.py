"""The plots, as small SVG files that are the same for the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import targets
from benchmarks.measurements import Book
from benchmarks.plan import Plan
from benchmarks.sections import depth, growth, looped
from benchmarks.shapes import HEAD, PAPER_SPEED_UP, RECURSIVE

matplotlib.use("svg")

COLOURS = {"Rally": "#0b6e4f", "llama.cpp": "#c1666b", "onnxruntime": "#4357ad", "PyTorch": "#e09f3e"}
DASHES = {"int8": "-", "bf16": "--", "f32": ":"}
MARKERS = {"vanilla-360m": "s", "mor-360m-r3": "o", "rater-50m": "o"}
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
    "legend.handlelength": 3.2,
}


def draw(book: Book, plan: Plan, folder: Path) -> list[str]:
    """Draw every plot that the book has numbers for, and return their names."""
    drawings: dict[str, tuple[str, Callable[[Book, Axes], None]]] = {
        "throughput-by-batch": (growth.BATCH, _throughput),
        "prompt-by-length": (growth.PROMPT, _prompts),
        "depth": (depth.SECTION, lambda book, axes: _depth(book, plan, axes)),
        "exits": (looped.SECTION, lambda book, axes: _exits(book, plan, axes)),
        "rating-by-tokens": (growth.RATING, _rating),
    }
    drawn = []
    for name, (section, drawing) in drawings.items():
        if book.keys(section=section):
            folder.mkdir(parents=True, exist_ok=True)
            with matplotlib.rc_context(STYLE):
                figure = Figure(figsize=(6.4, 4.0), layout="constrained")
                drawing(book, figure.add_subplot())
                figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
            drawn.append(name)
    return drawn


def _throughput(book: Book, axes: Axes) -> None:
    _curves(book, growth.BATCH, axes)
    axes.set(
        title="Decoding, 360M shapes", xlabel="sequences decoded together", ylabel="tokens per second", ylim=(0, None)
    )


def _prompts(book: Book, axes: Axes) -> None:
    _curves(book, growth.PROMPT, axes)
    axes.set(title="Prompts, 360M shapes", xlabel="tokens of the prompt", ylabel="seconds")
    _logarithmic(axes)


def _exits(book: Book, plan: Plan, axes: Axes) -> None:
    """Draw a curve per batch: thresholds by the mean depth that they gave, and what full depth and layers alone say."""
    for batch, dashes in zip(looped.BATCHES, ("--", "-"), strict=True):
        points = []
        for threshold in looped.THRESHOLDS:
            rate = book.median(looped.rate_key(batch, threshold, plan.looped))
            mean = book.median(looped.depth_key(batch, threshold, plan.looped))
            if rate is not None and mean is not None:
                points.append((mean, rate, threshold))
        style: dict[str, Any] = {"color": COLOURS["Rally"], "linestyle": dashes, "marker": "o", "markersize": 4}
        axes.plot(*zip(*((mean, rate) for mean, rate, _ in points), strict=True), label=f"{batch} together", **style)
        for mean, rate, threshold in points:
            axes.annotate(f"{threshold:g}", (mean, rate), (4, 4), textcoords="offset points", fontsize=7)
        mean, rate, _ = points[-1]
        depths = [1 + step / 20 for step in range(61)]
        label = "" if batch != looped.BATCHES[-1] else "layers alone, from full depth"
        axes.plot(depths, [rate * mean / value for value in depths], color="black", linewidth=0.8, ls=":", label=label)
    axes.set(
        title=f"Decoding {plan.looped}, {looped.DTYPE}, by exit threshold",
        xlabel="mean depth, loops; numbers are thresholds",
        ylabel="tokens per second",
        ylim=(0, None),
    )
    axes.legend()


def _rating(book: Book, axes: Axes) -> None:
    _curves(book, growth.RATING, axes)
    axes.set(title="Rating rows of 512 tokens, 50M rater", xlabel="tokens", ylabel="seconds")
    _logarithmic(axes)


def _curves(book: Book, section: str, axes: Axes) -> None:
    keys = book.keys(section=section)
    for engine, model, dtype in dict.fromkeys((key.engine, key.model, key.dtype) for key in keys):
        points = [key for key in keys if (key.engine, key.model, key.dtype) == (engine, model, dtype)]
        values = [book.median(key) or 0 for key in points]
        label = f"{engine} {model} {dtype}"
        style: dict[str, Any] = {
            "color": COLOURS[engine],
            "linestyle": DASHES[dtype],
            "marker": MARKERS[model],
            "markersize": 4,
        }
        axes.plot([int(key.test) for key in points], values, label=label, **style)
    places = sorted({int(key.test) for key in keys})
    axes.set_xscale("log", base=2)
    axes.set_xticks(places, [str(place) for place in places])
    axes.minorticks_off()
    axes.legend()


def _logarithmic(axes: Axes) -> None:
    """Make y logarithmic, with plain numbers at powers of two."""
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()


def _depth(book: Book, plan: Plan, axes: Axes) -> None:
    """Draw bars of what was measured, and lines of what arithmetic and the paper say."""
    width = 0.26
    series: dict[str, tuple[str, Callable[[str], float | None]]] = {
        "measured, decoding 32": ("#0b6e4f", lambda model: targets.speed_up(book, depth.TESTS[1], model)),
        f"measured, whole queue in int8, {plan.queue.sequences} in flight": (
            "#3f9477",
            lambda model: targets.queue_speed_up(book, plan.queue.sequences, model),
        ),
        "measured, prompt of 512": ("#7fb69e", lambda model: targets.speed_up(book, depth.TESTS[0], model)),
    }
    for index, (label, (colour, value)) in enumerate(series.items()):
        heights = [value(model) or 0 for model in RECURSIVE]
        places = [place + (index - 1) * width for place in range(len(RECURSIVE))]
        axes.bar(places, heights, width * 0.92, label=label, color=colour)
        for place, height in zip(places, heights, strict=True):
            axes.text(place, height - 0.04, f"{height:.2f}", ha="center", va="top", fontsize=8, color="white")
    for label, head, dashes in (("ideal: layers alone", 0.0, "solid"), ("ideal: layers and head", HEAD, "dotted")):
        for place, shape in enumerate(RECURSIVE.values()):
            ideal = shape.ideal(shape.published_depth, head)
            style: dict[str, Any] = {"colors": "black", "linestyles": dashes, "linewidth": 1}
            axes.hlines(ideal, place - 0.4, place + 0.4, label="" if place else label, **style)
    names = list(RECURSIVE)
    paper = [(names.index(model), value) for model, value in PAPER_SPEED_UP.items()]
    axes.plot(
        [place for place, _ in paper],
        [value for _, value in paper],
        "D",
        color="#c1666b",
        label="paper, H100, whole job, largest batch",
    )
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.set_xticks(range(len(names)), names)
    axes.grid(axis="x", visible=False)
    axes.set(title="Speed-up over the vanilla model of the same effective depth, bf16", ylabel="times", ylim=(0, 2.2))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2)
