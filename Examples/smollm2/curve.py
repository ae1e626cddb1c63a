"""Perplexity and speed of the adaptive SmolLM2 against its mean depth, alongside the full model.

    python Examples/smollm2/curve.py [TEXT] [--windows 64] [--dtype f32] [--out .build/smollm2/adaptive]

Windows of 256 tokens stand alone. Measured: the full model; the full model with the layers of the last groups left out
for every token; the adaptive model with every token at one depth; thresholds; and `target_depth`. Speed is tokens per
second of processor time, which other work on the machine disturbs less than time by the clock; settings take turns.
Writes curve.json and curve.svg.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import rally

from adaptive import RECURSIONS
from fetch import FOLDER, model_file, reference_model
from texts import texts

WINDOW = 256
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
TARGETS = (1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75)


def settings() -> list[dict[str, Any]]:
    """Return what is measured, each with its options."""
    found: list[dict[str, Any]] = [{"kind": "full"}]
    found += [{"kind": "every token", "options": {"max_depth": d, "min_depth": d}} for d in range(1, RECURSIONS + 1)]
    found += [{"kind": "threshold", "options": {"exit_threshold": value}} for value in THRESHOLDS]
    return found + [{"kind": "target_depth", "options": {"target_depth": value}} for value in TARGETS]


class Tally:
    """Losses, depths and processor time of one setting over the windows."""

    def __init__(self) -> None:
        self.loss, self.count, self.depth, self.tokens, self.seconds = 0.0, 0, 0, 0, 0.0

    def add(self, model: rally.Model, row: list[int], options: dict[str, Any]) -> None:
        start = time.process_time()
        (result,) = model.forward([row], **options)
        self.seconds += time.process_time() - start
        logits = result.logits[:-1]
        most = logits.max(axis=1)
        sums = np.log(np.exp(logits - most[:, None]).sum(axis=1, dtype=np.float64)) + most
        self.loss += float((sums - logits[np.arange(len(row) - 1), row[1:]]).sum())
        self.count += len(row) - 1
        if result.depth is not None:
            self.depth += int(result.depth.sum())
            self.tokens += len(row)

    def row(self, has_depth: bool) -> dict[str, float]:
        found = {"perplexity": round(float(np.exp(self.loss / self.count)), 3)}
        if has_depth:
            found["depth"] = round(self.depth / self.tokens, 3)
        return found | {"tokens per processor second": round(self.count / self.seconds, 1)}


def measure(models: dict[str, rally.Model], rows: list[list[int]]) -> list[dict[str, Any]]:
    """Return a row for each setting; in each window all settings take their turn."""
    kinds = settings()
    tallies = [Tally() for _ in kinds]
    for index, row in enumerate(rows):
        for setting, tally in zip(kinds, tallies, strict=True):
            model = models["full" if setting["kind"] == "full" else "adaptive"]
            options = setting.get("options", {})
            tally.add(model, row, options)
        print(f"window {index + 1} of {len(rows)}", file=sys.stderr)
    return [setting | tally.row(setting["kind"] != "full") for setting, tally in zip(kinds, tallies, strict=True)]


def dropped(rows: list[list[int]]) -> list[dict[str, Any]]:
    """Return the full model's perplexity with the last groups left out for every token, untrained, by PyTorch."""
    import torch

    from adaptive import Adaptive

    model = Adaptive(reference_model())
    found = []
    for depth in range(1, RECURSIONS):
        loss = count = 0.0
        for row in rows:
            ids = torch.tensor([row])
            with torch.no_grad():
                depths = torch.full(ids.shape, depth)
                logits = model.base.lm_head(model(model.prefix(ids), depths).hidden)[0, :-1]
                loss += float(torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum"))
            count += len(row) - 1
        found.append(
            {"kind": "layers left out, untrained", "depth": depth, "perplexity": round(np.exp(loss / count), 3)}
        )
    return found


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw perplexity and speed against mean depth."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib.figure import Figure

    style = {"svg.hashsalt": "rally", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False}
    style |= {"axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25, "legend.frameon": False}
    looks = {
        "threshold": ("thresholds", "#0b6e4f", "o-"),
        "target_depth": ("target_depth", "#4357ad", "s--"),
        "every token": ("every token at one depth, trained", "#c1666b", "D:"),
        "layers left out, untrained": ("the same layers left out, untrained", "#e09f3e", "^:"),
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(8.4, 3.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        full = next(row for row in rows if row["kind"] == "full")
        for kind, (label, colour, line) in looks.items():
            points = sorted((row["depth"], row) for row in rows if row["kind"] == kind)
            for axes, what in ((left, "perplexity"), (right, "tokens per processor second")):
                shown = [(depth, row[what]) for depth, row in points if what in row]
                axes.plot([x for x, _ in shown], [y for _, y in shown], line, color=colour, label=label, markersize=4)
        for axes, what in ((left, "perplexity"), (right, "tokens per processor second")):
            axes.axhline(full[what], color="black", linewidth=0.9, label="full model")
            axes.set(xlabel="mean depth, groups of 3", ylabel=what)
        left.set_yscale("log")
        left.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        left.yaxis.set_minor_formatter(lambda value, _: f"{value:g}")
        right.set_ylim(0, None)
        left.legend(fontsize=8)
        figure.savefig(path, metadata={"Date": None, "Creator": None})


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the adaptive SmolLM2.")
    parser.add_argument("text", type=Path, nargs="?", help="default: what training held out")
    parser.add_argument("--model", type=Path, default=FOLDER / "adaptive" / "smollm2-adaptive.onnx")
    parser.add_argument("--out", type=Path, default=FOLDER / "adaptive")
    parser.add_argument("--windows", type=int, default=64, help="of the text, evenly spread (default: 64)")
    parser.add_argument("--dtype", choices=("f32", "bf16", "int8"), default="f32")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with (
        rally.Model(model_file(), dtype=options.dtype, threads=options.threads) as full,
        rally.Model(options.model, dtype=options.dtype, threads=options.threads) as adaptive,
    ):
        tokens = full.encode((options.text or texts()[1]).read_bytes())
        starts = np.linspace(0, len(tokens) - WINDOW, min(options.windows, len(tokens) // WINDOW)).astype(int)
        windows = [tokens[start : start + WINDOW] for start in starts]
        rows = measure({"full": full, "adaptive": adaptive}, windows)
    rows += dropped(windows)
    for row in rows:
        print(json.dumps(row))
    (options.out / "curve.json").write_text(json.dumps(rows, indent=1) + "\n")
    draw(rows, options.out / "curve.svg")


if __name__ == "__main__":
    main()
