"""Check ``model.py`` against the conformance goldens, both selections."""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file

from checkpoint import load


def main() -> None:
    """Print relative logit errors and depth agreement of one expert-choice case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", type=Path, help="folder with model.safetensors and golden.safetensors")
    case = parser.parse_args().case
    model, golden = load(case), load_file(case / "golden.safetensors")
    for threshold, logits, depth in (
        (False, "logits_upstream_eager_fp32", "depth_upstream"),
        (True, "logits_ref_threshold", "depth_ref_threshold"),
    ):
        with torch.no_grad():
            hidden, _, depths = model(golden["input_ids"][None], threshold)
            out = model.logits(hidden)[0]
        error = ((out - golden[logits]).norm() / golden[logits].norm()).item()
        equal = bool((depths[0] == golden[depth]).all())
        print(f"{'threshold' if threshold else 'topk':9} relative error {error:.2e} depths equal {equal}")
        if error > 1e-5 or not equal:
            raise SystemExit("differs from the reference")


if __name__ == "__main__":
    main()
