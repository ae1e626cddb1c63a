"""Perplexity of the adaptive SmolLM2 against its mean depth: by thresholds, and with layers left out for every token.

python Examples/smollm2/curve.py TEXT [--model .build/smollm2/adaptive/smollm2-adaptive.onnx] [--dtype f32]
"""

import argparse
import json
from pathlib import Path

import numpy as np
import rally

from adaptive import RECURSIONS
from fetch import FOLDER

WINDOW = 512
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def measure(model: rally.Model, windows: list[list[int]], **options: float) -> dict[str, float]:
    """Return perplexity and mean depth over windows that stand alone."""
    losses = np.concatenate(model.logprobs(windows, **options))
    depths = np.concatenate([result.depth for result in model.forward(windows, logits=False, **options)])
    return {"perplexity": round(float(np.exp(-losses.mean())), 3), "depth": round(float(depths.mean()), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the adaptive SmolLM2.")
    parser.add_argument("text", type=Path)
    parser.add_argument("--model", type=Path, default=FOLDER / "adaptive" / "smollm2-adaptive.onnx")
    parser.add_argument("--dtype", choices=("f32", "bf16", "int8"), default="f32")
    options = parser.parse_args()
    with rally.Model(options.model, dtype=options.dtype) as model:
        tokens = model.encode(options.text.read_bytes())
        windows = [tokens[start : start + WINDOW] for start in range(0, len(tokens) - 1, WINDOW)]
        for threshold in THRESHOLDS:
            print(json.dumps({"exit_threshold": threshold, **measure(model, windows, exit_threshold=threshold)}))
        for depth in range(1, RECURSIONS + 1):
            kept = measure(model, windows, exit_threshold=1.0, max_depth=depth)
            print(json.dumps({"every token at depth": depth, **kept}))


if __name__ == "__main__":
    main()
