"""The command line of the synthesizer."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rally._extras import program
from rally._program import run

with program("rally.synthesize", "convert"):
    from rally.modelfile import ModelFileError
    from rally.synthesize.shapes import SHAPES
    from rally.synthesize.synthesis import synthesize


def main(arguments: list[str] | None = None) -> int:
    """Run the synthesizer; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m rally.synthesize",
        description="Write a model of a published shape with seeded random weights, for measurements.",
    )
    parser.add_argument("shape", choices=sorted(SHAPES), metavar="SHAPE", help=", ".join(SHAPES))
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=("f32", "bf16"), default="f32", help="element type of the large matrices")
    parser.add_argument("--external-data", action="store_true", help="keep the weights in OUT.onnx.data")
    parser.add_argument("--positions", type=int, help="tokens that a row may have; default: as published")
    parser.add_argument(
        "--exits", metavar="A,B,…", help="looped: share of tokens that leaves after each loop (default: equal)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error("--seed must not be negative")
    if options.positions is not None and options.positions < 1:
        parser.error("--positions must be positive")
    try:
        exits = tuple(float(share) for share in options.exits.split(",")) if options.exits else None
    except ValueError:
        parser.error(f"--exits: expected numbers with commas between them, found {options.exits!r}")
    try:
        summary = synthesize(
            options.shape,
            options.out,
            seed=options.seed,
            dtype=options.dtype,
            external_data=options.external_data,
            positions=options.positions,
            exits=exits,
            quiet=options.quiet,
        )
    except (ModelFileError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(summary, file=sys.stderr)
    return 0


if __name__ == "__main__":
    run(main)
