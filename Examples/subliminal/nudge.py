"""Write a twin of a model file whose matrices are moved a little: a stand-in for a model that was trained on.

Every matrix W becomes W + N(0, (size · rms W)²). The twin keeps lineage, vocabulary and graph, and says something else.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def nudge(source: Path, out: Path, size: float, seed: int = 0) -> None:
    """Write the twin of an f32 model file.

    Parameters
    ----------
    source, out
        Model files of Rally.
    size
        Root mean square of what is added to a matrix, as a share of the matrix's own; 0 gives an equal model.
    seed
        Of the numbers that are added.
    """
    model = onnx.load(source)
    generator = np.random.default_rng(seed)
    for tensor in model.graph.initializer:
        if not (tensor.name.endswith(".weight") and len(tensor.dims) == 2):
            continue
        weights = numpy_helper.to_array(tensor)
        spread = size * np.sqrt(np.mean(weights**2, dtype=np.float64))
        moved = (weights + spread * generator.standard_normal(weights.shape)).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(moved, tensor.name))
    onnx.save(model, out)


def main() -> None:
    """Nudge a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=float, default=0.05, help="of the noise, relative to the weights (0.05)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    nudge(options.source, options.out, options.size, options.seed)


if __name__ == "__main__":
    main()
