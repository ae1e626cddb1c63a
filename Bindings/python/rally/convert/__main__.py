"""The command line of the converter."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rally.convert.conversion import convert
from rally.convert.loops import KV_POLICIES
from rally.modelfile import ModelFileError


def main(arguments: list[str] | None = None) -> int:
    """Run the converter; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m rally.convert",
        description="Convert a checkpoint folder (safetensors or PyTorch, with config.json), or a GGUF file.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    parser.add_argument(
        "--dtype", choices=("f32", "bf16"), help="element type of the large matrices (default: as they are)"
    )
    parser.add_argument("--name", help="name of the model, for people (default: the folder's)")
    parser.add_argument("--tokenizer", type=Path, metavar="PATH", help="a tokenizer.json other than the folder's own")
    parser.add_argument(
        "--external-data", action="store_true", help="keep the weights in OUT.onnx.data (always above 2 GB)"
    )
    loops = parser.add_argument_group("looped models")
    loops.add_argument(
        "--exit-threshold", type=float, metavar="T", help="the file's threshold (default: the checkpoint's)"
    )
    loops.add_argument(
        "--kv-policy",
        choices=KV_POLICIES,
        help="keys and values of loops that a token did not run (default: last_exited)",
    )
    loops.add_argument(
        "--recursions", type=int, metavar="R", help="retrofits: runs of the core (default: mean_recurrence)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    try:
        summary = convert(
            options.checkpoint,
            options.out,
            dtype=options.dtype,
            name=options.name,
            tokenizer=options.tokenizer,
            external_data=options.external_data,
            exit_threshold=options.exit_threshold,
            kv_policy=options.kv_policy,
            recursions=options.recursions,
            quiet=options.quiet,
        )
    except (ModelFileError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(summary, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
