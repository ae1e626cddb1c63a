"""The command line of the converter."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rally._extras import program
from rally._program import run
from rally.errors import RallyError

with program("rally.convert", "convert"):
    from rally.convert.conversion import convert
    from rally.convert.loops import KV_POLICIES
    from rally.convert.raters.choices import POLICIES, RaterChoices
    from rally.modelfile import ModelFileError


def main(arguments: list[str] | None = None) -> int:
    """Run the converter; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m rally.convert",
        description="Convert a checkpoint folder (safetensors or PyTorch, with config.json), GGUF or ONNX file.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    parser.add_argument(
        "--dtype",
        choices=("f32", "bf16", "int8", "q4"),
        help="element type of the large matrices (default: as they are)",
    )
    parser.add_argument("--name", help="name of the model, for people (default: the folder's)")
    parser.add_argument("--tokenizer", type=Path, metavar="PATH", help="a tokenizer.json other than the folder's own")
    parser.add_argument(
        "--external-data", action="store_true", help="keep the weights in OUT.onnx.data (always above 2 GB)"
    )
    parser.add_argument(
        "--config", type=Path, metavar="PATH", help="ONNX files: a config.json that is not next to them"
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
    raters = parser.add_argument_group("raters")
    raters.add_argument("--policy", choices=POLICIES, help="read and score as the makers of these raters do")
    raters.add_argument(
        "--score",
        metavar="RULE[:LABEL]",
        help="how one score comes of several outputs: logit:LABEL, softmax:LABEL, sigmoid:LABEL, expectation, none",
    )
    raters.add_argument(
        "--int-score", metavar="LOW,HIGH", type=_bounds, help="report round(score) within these bounds, too"
    )
    raters.add_argument(
        "--reading", choices=("windows", "first", "middle", "ends"), help="which part of a document is read"
    )
    raters.add_argument("--reading-tokens", type=int, metavar="N", help="tokens of a window, special ones included")
    raters.add_argument("--reading-characters", type=int, metavar="N", help="characters that are read of a document")
    raters.add_argument(
        "--reading-join", choices=("mean", "max", "min"), help="what the scores of several windows make"
    )
    raters.add_argument("--text-template", metavar="TEXT", help=r"what documents are made of, such as {url}\n\n{text}")
    raters.add_argument(
        "--pooling",
        choices=("cls", "mean", "last"),
        help="of a BERT without a pooler or a head: what its states become",
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
            rater=RaterChoices(**{name: getattr(options, name) for name in RaterChoices.__dataclass_fields__}),
            config=options.config,
            quiet=options.quiet,
        )
    except (ModelFileError, RallyError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(summary, file=sys.stderr)
    return 0


def _bounds(text: str) -> tuple[float, float]:
    """Return the two numbers of LOW,HIGH."""
    low, high = (float(part) for part in text.split(","))
    return low, high


if __name__ == "__main__":
    run(main)
