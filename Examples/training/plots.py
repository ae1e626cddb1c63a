"""Draw the picture of the language model's card: loss curves, from logs."""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


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


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", action="append", default=[], metavar="NAME=FILE", help="a language model's log")
    parser.add_argument("--out", type=Path, required=True, help="folder for the picture")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    logs = dict(pair.split("=", 1) for pair in options.log)
    loss_curves({k: Path(v) for k, v in logs.items()}, options.out / "rally-tiny-loss.png")


if __name__ == "__main__":
    main()
