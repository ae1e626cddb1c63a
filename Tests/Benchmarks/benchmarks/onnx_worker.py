"""onnxruntime as a worker, on the very file that Rally opens: ``onnx_worker MODEL.onnx f32|int8``.

int8 is onnxruntime's own dynamic quantization of that file.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

from benchmarks.inputs import padded_batches, ragged_rows, random_ids
from benchmarks.processes import THREADS
from benchmarks.serving import serve


class OnnxServer:
    """One model in one format."""

    def __init__(self, path: Path, dtype: str) -> None:
        if dtype == "int8":
            with tempfile.TemporaryDirectory() as folder:
                self.session = _session(_quantized(path, Path(folder)))
        else:
            self.session = _session(path)
        properties = self.session.get_modelmeta().custom_metadata_map
        self.vocabulary = int(properties["rally.vocab_size"])

    def prompt(self, length: int, seed: int) -> dict[str, float]:
        """Time a prompt; the graph computes the logits of all rows."""
        ids = random_ids(seed, 1, length, vocabulary=self.vocabulary)
        start = time.perf_counter()
        self.session.run(["logits"], {"input_ids": ids})
        return {"seconds": time.perf_counter() - start}

    def rate(self, lengths: list[int], seed: int, batch: int) -> dict[str, Any]:
        """Time the rating of rows of these lengths, sorted by length and padded in batches; scores in their order."""
        rows = ragged_rows(seed, lengths, self.vocabulary)
        scores = np.empty(len(rows), np.float32)
        start = time.perf_counter()
        for places, ids, mask in padded_batches(rows, batch):
            scores[places] = self.session.run(["score"], {"input_ids": ids, "attention_mask": mask})[0]
        return {"seconds": time.perf_counter() - start, "scores": scores.tolist()}


def _session(path: Path, optimized: Path | None = None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    if optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _quantized(path: Path, folder: Path) -> Path:
    """Quantize a file; the transposed weights must be folded first, so that the quantizer sees constants."""
    logging.disable(logging.WARNING)  # it recommends what was just done
    folded, quantized = folder / "folded.onnx", folder / "quantized.onnx"
    _session(path, folded)
    quantize_dynamic(folded, quantized, per_channel=True, weight_type=QuantType.QInt8)
    return quantized


if __name__ == "__main__":
    serve(lambda: OnnxServer(Path(sys.argv[1]), sys.argv[2]))
