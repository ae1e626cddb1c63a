"""The PyTorch model as a worker: ``torch_worker MODEL.onnx f32|bf16``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from benchmarks.inputs import random_ids
from benchmarks.processes import THREADS
from benchmarks.serving import serve
from benchmarks.torch_model import TorchModel

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
#: Steps before the clock starts.
WARM_UP = 2


class TorchServer:
    """One model in one format."""

    def __init__(self, path: Path, dtype: str) -> None:
        torch.set_num_threads(THREADS)
        self.model = TorchModel(path, DTYPES[dtype])
        self.vocabulary = len(self.model.embedding)

    def logits(self, ids: list[int]) -> list[float]:
        """Return the last row's logits [V] of a whole prompt."""
        values: list[float] = self.model.prompt(torch.tensor(ids))[0].tolist()
        return values

    def decoded_logits(self, rows: list[list[int]]) -> list[list[float]]:
        """Return the logits [B, V] after rows of equal lengths, computed token by token with a cache."""
        ids = torch.tensor(rows)
        cache = self.model.new_cache(*ids.shape)
        for column in range(ids.shape[1]):
            logits, _ = self.model.step(ids[:, column], cache)
        values: list[list[float]] = logits.tolist()
        return values

    def prompt(self, length: int, seed: int) -> dict[str, float]:
        """Time a prompt, after one that warms up: the last row's logits."""
        ids = torch.from_numpy(random_ids(seed, length, vocabulary=self.vocabulary))
        self.model.prompt(ids)
        start = time.perf_counter()
        _, depth = self.model.prompt(ids)
        return {"seconds": time.perf_counter() - start, "mean_depth": depth.double().mean().item()}

    def decode(self, batch: int, count: int, seed: int) -> dict[str, float]:
        """Time ``count`` steps of ``batch`` sequences from an empty cache on, fed random tokens as llama-bench does."""
        ids = torch.from_numpy(random_ids(seed, count, batch, vocabulary=self.vocabulary))
        warm = self.model.new_cache(batch, WARM_UP)
        for step in range(WARM_UP):
            self.model.step(ids[step % count], warm)
        cache = self.model.new_cache(batch, count)
        depths = torch.zeros(batch, dtype=torch.int64)
        start = time.perf_counter()
        for step in range(count):
            logits, depth = self.model.step(ids[step], cache)
            logits.argmax(dim=-1)
            depths += depth
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "mean_depth": depths.double().mean().item() / count}


if __name__ == "__main__":
    serve(lambda: TorchServer(Path(sys.argv[1]), sys.argv[2]))
