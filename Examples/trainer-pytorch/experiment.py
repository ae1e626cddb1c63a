"""Does the rater help? The same model on filtered, random and unfiltered batches, over several seeds.

Every finished run is one JSON file in `--out`, so that an interrupted experiment goes on where it was. At the end the
table and the figure are written again from all of them.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from rally import Scorer
from tqdm import tqdm

from mixture import Windows, windows
from report import write_report
from train import ARMS, Settings, run

HERE = Path(__file__).parent
MODELS = HERE.parent / "models"
HELD_OUT_SEED = 1_000_003


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder that ../training/collect.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for runs and cached windows")
    parser.add_argument("--report", type=Path, default=HERE, help="folder for results.md and loss.png")
    parser.add_argument("--rater", type=Path, default=MODELS / "rally-rater-tiny.onnx")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS, help="filtered and random at least")
    parser.add_argument("--heldout", type=int, default=128, help="clean validation windows")
    defaults = Settings()
    for name in ("steps", "batch", "length", "width", "layers"):
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name))
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing, then report."""
    options = parse_arguments(arguments)
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    scorer = Scorer(options.rater, threads=1)
    chosen = {name: getattr(options, name) for name in ("steps", "batch", "length", "width", "layers")}
    settings = Settings(**chosen)

    def draw(split: str, count: int, junk: float, seed: int) -> Windows:
        return windows(options.corpus, scorer, split, count, settings.length, junk, seed, options.out)

    heldout = torch.from_numpy(draw("heldout", options.heldout, 0.0, HELD_OUT_SEED).ids)
    # The arm that knows the labels comes last: the others are complete without it.
    plan = sorted(
        ((seed, arm) for seed in range(options.seeds) for arm in options.arms), key=lambda run: run[1] == ARMS[-1]
    )
    for seed, arm in tqdm(plan, disable=not sys.stderr.isatty(), unit="run"):
        path = options.out / f"{arm.replace(' ', '-')}-{seed}.json"
        if path.exists():
            continue
        # A tenth more than is drawn, so that the clean half is enough for the arm that takes nothing else.
        count = int(settings.steps * settings.batch / settings.keep * 1.1)
        result = run(arm, seed, draw("train", count, settings.junk, seed), heldout, scorer, settings)
        path.write_text(json.dumps(result))
        print(f"{arm:11} seed {seed}: {result['curve'][-1][1]:.4f} nats, {result['seconds']:.0f} s", file=sys.stderr)
    runs = [json.loads((options.out / f"{arm.replace(' ', '-')}-{seed}.json").read_text()) for seed, arm in plan]
    print(write_report(runs, asdict(settings), options.report))


if __name__ == "__main__":
    main()
