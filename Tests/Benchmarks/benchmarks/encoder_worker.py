"""A peer as a worker, on encoders of :mod:`benchmarks.encoders`: ``encoder_worker ENGINE FOLDER f32|bf16|int8``.

ENGINE is onnxruntime, openvino or ctranslate2. Run by the peers' Python.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import openvino_model
from benchmarks.inputs import Ids, padded_batches, ragged_rows
from benchmarks.processes import THREADS
from benchmarks.serving import serve

#: Of ids and mask [B, T], padded at the end: the scores [B], or None where the engine has no head.
Run = Callable[[Ids, Ids], npt.NDArray[np.float32] | None]


def _onnxruntime(folder: Path, dtype: str) -> Run:
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    path = folder / "model.onnx"
    if dtype == "int8":
        path = folder / "onnxruntime-int8.onnx"
        if not path.exists():
            logging.disable(logging.WARNING)  # it recommends a step that changes nothing here
            with tempfile.TemporaryDirectory(dir=folder) as place:
                made = Path(place) / "model.onnx"
                quantize_dynamic(folder / "model.onnx", made, per_channel=True, weight_type=QuantType.QInt8)
                made.rename(path)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda ids, mask: session.run(None, {"input_ids": ids, "attention_mask": mask})[0][:, 0]


def _openvino(folder: Path, dtype: str) -> Run:
    request = openvino_model.request(folder / ("openvino-int8.xml" if dtype == "int8" else "model.onnx"), dtype)

    def run(ids: Ids, mask: Ids) -> npt.NDArray[np.float32]:
        return np.array(request.infer({"input_ids": ids, "attention_mask": mask})[0][:, 0])

    return run


def _ctranslate2(folder: Path, dtype: str) -> Run:
    import ctranslate2

    kind = {"f32": "float32", "int8": "int8"}[dtype]
    encoder = ctranslate2.Encoder(
        str(folder / "ctranslate2"), device="cpu", inter_threads=1, intra_threads=THREADS, compute_type=kind
    )

    def run(ids: Ids, mask: Ids) -> None:
        lengths = ctranslate2.StorageView.from_array(mask.sum(1).astype(np.int32))
        encoder.forward_batch(ctranslate2.StorageView.from_array(ids.astype(np.int32)), lengths)

    return run


class EncoderServer:
    """One model in one format, computed by one engine."""

    def __init__(self, engine: str, folder: Path, dtype: str) -> None:
        engines = {"onnxruntime": _onnxruntime, "openvino": _openvino, "ctranslate2": _ctranslate2}
        self._run = engines[engine](folder, dtype)

    def rate(self, lengths: list[int], seed: int, batch: int, vocabulary: int) -> dict[str, Any]:
        """Time the rating of rows of these lengths, sorted by length and padded in batches; scores in their order."""
        rows = ragged_rows(seed, lengths, vocabulary)
        scores = np.full(len(rows), np.nan, np.float32)
        start = time.perf_counter()
        for places, ids, mask in padded_batches(rows, batch):
            found = self._run(ids, mask)
            if found is not None:
                scores[places] = found
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "scores": None if np.isnan(scores).any() else scores.tolist()}


if __name__ == "__main__":
    serve(lambda: EncoderServer(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
