"""What all seeds say together: means with 95 % intervals, the lineage test's spread, and both as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from conditions import CONDITIONS
from kinship import LAYERS, PAIRS
from tables import aligned
from trial import Record

TEACHER_IN_PAPER = 0.943


def summarise(seeds: dict[int, Record], independent: dict[str, Any]) -> dict[str, Any]:
    """Return accuracies by network and lineage by pair, over seeds that have both, and lineage of other teachers."""
    records = list(seeds.values())
    networks = {name: mean_and_interval([record["accuracy"][name] for record in records]) for name in _UNTAUGHT}
    students = {
        condition.name: mean_and_interval([record["accuracy_by_epoch"][condition.name][-1] for record in records])
        for condition in CONDITIONS
    }
    lineage = {pair.name: _spread([record["lineage"][pair.name] for record in records]) for pair in PAIRS}
    return {
        "seed_count": len(records),
        "accuracy": {**networks, **students},
        "lineage": lineage,
        "independent": {key: independent[key] for key in ("pairs", "below_05", "z")},
    }


def mean_and_interval(values: Sequence[float]) -> dict[str, float | None]:
    """Return the mean, and half the width of its 95 % interval after Student's t; none for a single value."""
    count = len(values)
    if count < 2:
        return {"mean": float(np.mean(values)), "half_width": None}
    error = float(np.std(values, ddof=1)) / count**0.5
    return {"mean": float(np.mean(values)), "half_width": float(student_t.ppf(0.975, count - 1)) * error}


def table(summary: dict[str, Any]) -> str:
    """Return the summary as text for a terminal."""
    return "\n\n".join([_accuracy_table(summary), _lineage_table(summary), _calibration_table(summary["independent"])])


_UNTAUGHT = {"start": "untrained, the teacher's start", "other-start": "untrained, another start", "teacher": "teacher"}


def _spread(tests: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return mean, least and largest of ρ and z per layer, and how often p is below .05 and each verdict falls."""
    layers: dict[str, Any] = {}
    for layer in LAYERS:
        layers[layer] = {}
        for statistic in ("rho", "z"):
            values = [test["layers"][layer][statistic] for test in tests]
            layers[layer][statistic] = {"mean": float(np.mean(values)), "least": min(values), "most": max(values)}
        layers[layer]["below_05"] = sum(test["layers"][layer]["p"] < 0.05 for test in tests)
    return {
        "layers": layers,
        "below_05": sum(test["p"] < 0.05 for test in tests),
        "verdicts": dict(Counter(test["verdict"] for test in tests)),
    }


def _accuracy_table(summary: dict[str, Any]) -> str:
    titles = {**_UNTAUGHT, **{condition.name: condition.title for condition in CONDITIONS}}
    paper = {"teacher": f"{TEACHER_IN_PAPER:.3f}"}
    paper |= {condition.name: _with_width(*condition.paper) for condition in CONDITIONS if condition.paper}
    rows = [("accuracy", "digits", "paper, MNIST")]
    for name, title in titles.items():
        value = summary["accuracy"][name]
        rows.append((title, _with_width(value["mean"], value["half_width"]), paper.get(name, "")))
    return aligned(rows)


def _with_width(mean: float, half_width: float | None) -> str:
    return f"{mean:.3f}" if half_width is None else f"{mean:.3f} ± {half_width:.3f}"


def _lineage_table(summary: dict[str, Any]) -> str:
    count = summary["seed_count"]
    rows = [("lineage with the teacher", "layer", "ρ", "least and largest z", "p < .05")]
    for pair in PAIRS:
        found = summary["lineage"][pair.name]
        for layer, values in found["layers"].items():
            z = values["z"]
            rows.append(
                (
                    pair.title if layer == LAYERS[0] else "",
                    layer,
                    f"{values['rho']['mean']:+.3f}",
                    f"{z['least']:.1f} … {z['most']:.1f}",
                    f"{values['below_05']} of {count}",
                )
            )
        rows.append(("", "together", "", "", f"{found['below_05']} of {count}"))
    return aligned(rows)


def _calibration_table(independent: dict[str, Any]) -> str:
    pairs = independent["pairs"]
    rows = [("teachers of two seeds", "p < .05", "")]
    for name, count in independent["below_05"].items():
        rows.append((name, f"{count} of {pairs}", f"{count / pairs:.3f}" if pairs else ""))
    return aligned(rows)
