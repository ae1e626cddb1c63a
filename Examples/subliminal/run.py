"""Subliminal learning on handwritten digits: train, compare lineages, draw.

A student learns three outputs of a teacher, which mean nothing, on noise. Afterwards it recognises digits where it
started from the teacher's own initial weights, and does not where it started from others. The lineage test tells the
two apart before the training. A run that was interrupted goes on with the same command.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

import figure
import kinship
import summary
import trial
from conditions import CONDITIONS
from digits import training_and_test
from results import OtherSettings, Results, rounded
from training import PAPER, QUICK, Length

HERE = Path(__file__).resolve().parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; 1 where it cannot."""
    options = _options(arguments)
    torch.set_num_threads(1)
    try:
        results = Results(options.out, QUICK if options.quick else PAPER)
    except OtherSettings as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 1
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    _train(results, seeds, QUICK if options.quick else PAPER, options.weights)
    _compare(results, seeds, options.weights)
    _report(results, options)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=24, help="how many (24)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--out", type=Path, default=HERE / "results.json", help="results, read and written")
    parser.add_argument("--weights", type=Path, help="a folder for weights, 8 MB a seed (out/subliminal, or -quick)")
    parser.add_argument("--figure", type=Path, help="also draw this SVG or PNG")
    parser.add_argument("--quick", action="store_true", help="a quarter of the images, in batches of a quarter")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    options = parser.parse_args(arguments)
    options.weights = options.weights or Path("out", "subliminal-quick" if options.quick else "subliminal")
    return options


def _train(results: Results, seeds: Sequence[int], length: Length, weights: Path) -> None:
    """Train the seeds that the results lack, and those whose weights are gone while they are still to be compared."""

    def done(seed: int) -> bool:
        tested = results.compared(seed) and results.calibrated(seeds)
        return tested or (results.trained(seed) and (weights / trial.folder_name(seed)).exists())

    missing = [seed for seed in seeds if not done(seed)]
    images = training_and_test()
    with tqdm(total=len(missing) * (1 + len(CONDITIONS)), desc="networks trained", disable=None) as bar:
        for seed in missing:
            results.keep(seed, **trial.train(seed, length, images, weights, bar.update))


def _compare(results: Results, seeds: Sequence[int], weights: Path) -> None:
    """Run the lineage test where the results lack it: teachers with students, then teachers with each other."""
    missing = [seed for seed in seeds if not results.compared(seed)]
    for seed in tqdm(missing, desc="seeds compared", disable=None):
        results.keep(seed, lineage=kinship.compare(seed, weights))
    if not results.calibrated(seeds):
        with tqdm(total=math.comb(len(seeds), 2), desc="independent pairs", disable=None) as bar:
            results.independent = kinship.calibrate(seeds, weights, bar.update)


def _report(results: Results, options: argparse.Namespace) -> None:
    """Write the summary of all compared seeds into the results, print it, and draw it where a figure is wanted."""
    compared = {seed: record for seed, record in results.seeds.items() if results.compared(seed)}
    found = rounded(summary.summarise(compared, results.independent))
    results.write(summary=found)
    if options.figure:
        figure.draw(compared, found, options.figure)
    print(json.dumps(found, indent=1) if options.json else summary.table(found))


if __name__ == "__main__":
    sys.exit(main())
