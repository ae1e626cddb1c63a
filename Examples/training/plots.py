"""Draw the cards' two pictures from logs and reports: loss curves, score against level."""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from corruptions import LISTED, UNSEEN


def read_log(path: Path) -> list[dict]:
    """Read a training log; of steps run twice (after a resume) the later record stays."""
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return list({r["step"]: r for r in records}.values())


def smooth(values: list[float], width: int) -> list[float]:
    """Trailing mean over ``width`` values."""
    return [sum(values[max(0, i - width + 1) : i + 1]) / min(i + 1, width) for i in range(len(values))]


def loss_curves(logs: dict[str, Path], out: Path) -> None:
    """Training loss of every language model against tokens seen."""
    figure, axis = plt.subplots(figsize=(6, 3.6))
    for name, path in logs.items():
        records = read_log(path)
        axis.plot([r["tokens"] / 1e6 for r in records], smooth([r["loss"] for r in records], 10), label=name, lw=1.2)
    axis.set(xlabel="tokens, millions", ylabel="training loss, nats per token", ylim=(3, 7))
    axis.grid(alpha=0.3)
    axis.legend()
    figure.tight_layout()
    figure.savefig(out, dpi=90)


def score_against_level(report: dict, out: Path) -> None:
    """Mean score in units of the clean spread against the corruption's level."""
    clean, spread = report["clean"]["mean"], report["clean"]["std"]
    figure, axis = plt.subplots(figsize=(6.4, 4))
    for name, levels in report["mean_score_by_level"].items():
        style = "-" if name in LISTED else ":" if name in UNSEEN else "--"
        scores = [0.0, *((s - clean) / spread for s in levels.values())]
        axis.plot([0, *map(float, levels)], scores, style, label=name, lw=1.2)
    axis.set(xlabel="level (listed solid, extra dashed, unseen dotted)", ylabel="mean score, clean deviations")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=6, ncols=2)
    figure.tight_layout()
    figure.savefig(out, dpi=90)


def rater_progress(log: Path, out: Path) -> None:
    """AUC on held-out text while the rater is meta-trained; no label enters the training."""
    records = [r for r in read_log(log) if "auc" in r]
    figure, axis = plt.subplots(figsize=(6, 3.2))
    axis.plot([r["step"] for r in records], [r["auc"] for r in records], marker=".", lw=1.2)
    axis.set(xlabel="meta-updates", ylabel="AUC, clean against corrupted", ylim=(0.5, 1))
    axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(out, dpi=90)


def main() -> None:
    """Draw all pictures whose inputs are given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", action="append", default=[], metavar="NAME=FILE", help="a language model's log")
    parser.add_argument("--rater-log", type=Path)
    parser.add_argument("--rater-report", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.log:
        logs = dict(pair.split("=", 1) for pair in options.log)
        loss_curves({k: Path(v) for k, v in logs.items()}, options.out / "rally-tiny-loss.png")
    if options.rater_log:
        rater_progress(options.rater_log, options.out / "rally-rater-tiny-auc.png")
    if options.rater_report:
        report = json.loads(options.rater_report.read_text())
        score_against_level(report, options.out / "rally-rater-tiny-levels.png")


if __name__ == "__main__":
    main()
