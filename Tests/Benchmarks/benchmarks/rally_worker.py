"""Rally's Python package as a worker, for what `rally bench` does not do: ``rally_worker MODEL.onnx f32|bf16|int8``."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import rally

from benchmarks.inputs import ragged_rows, random_ids
from benchmarks.processes import THREADS
from benchmarks.serving import serve


class RallyServer:
    """One model in one format."""

    def __init__(self, path: str, dtype: str) -> None:
        self.model = rally.Model(path, dtype=dtype, threads=THREADS)
        self.vocabulary = self.model.info.vocab_size

    def size(self) -> int:
        """Return the number of ids."""
        return self.vocabulary

    def last_logits(self, rows: list[list[int]]) -> list[list[float]]:
        """Return the logits [B, V] of the last token of each row."""
        return [np.asarray(forward.logits)[-1].tolist() for forward in self.model.forward(rows, positions=-1)]

    def prompt(self, length: int, seed: int, all_logits: bool) -> dict[str, float]:
        """Time a prompt: logits of all rows, or of the last."""
        ids = random_ids(seed, length, vocabulary=self.vocabulary)
        start = time.perf_counter()
        self.model.forward([ids], positions=None if all_logits else -1)
        return {"seconds": time.perf_counter() - start}

    def rate(self, lengths: list[int], seed: int) -> dict[str, Any]:
        """Time the rating of rows of these lengths, in one call."""
        rows = ragged_rows(seed, lengths, self.vocabulary)
        start = time.perf_counter()
        scores = self.model.rate(rows)
        return {"seconds": time.perf_counter() - start, "scores": scores.tolist()}


if __name__ == "__main__":
    serve(lambda: RallyServer(sys.argv[1], sys.argv[2]))
