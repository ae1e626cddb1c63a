"""A peer as a worker, on the model of :mod:`benchmarks.decoders`: ``decoder_worker ENGINE FOLDER f32|bf16|int8``.

ENGINE is openvino or ctranslate2. Run by the peers' Python.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from benchmarks import openvino_model
from benchmarks.inputs import Ids, random_ids
from benchmarks.processes import THREADS
from benchmarks.serving import serve

Logits = npt.NDArray[np.float32]
#: Steps before the clock starts.
WARM_UP = 2


class Engine(Protocol):
    """What a peer does."""

    def logits(self, ids: Ids) -> Logits:
        """Return the last row's logits [V] of a prompt [T]."""
        ...

    def decode(self, first: Ids, count: int) -> None:
        """Continue each sequence, of one id [B], by ``count`` tokens, the likeliest each time."""
        ...


class OpenVino:
    """A stateful model: keys and values stay within the request."""

    def __init__(self, folder: Path, dtype: str) -> None:
        path = folder / ("openvino-int8.xml" if dtype == "int8" else "openvino.xml")
        self.request = openvino_model.request(path, dtype)

    def step(self, ids: Ids, past: int) -> Logits:
        """Append ids [B, T] to sequences of ``past`` tokens: the logits [B, V] after them."""
        batch, count = ids.shape
        inputs = {
            "input_ids": ids,
            "attention_mask": np.ones((batch, past + count), np.int64),
            "position_ids": np.broadcast_to(np.arange(past, past + count), ids.shape),
            "beam_idx": np.arange(batch, dtype=np.int32),
        }
        found: Logits = self.request.infer(inputs, share_inputs=True, share_outputs=True)["logits"][:, -1]
        return found

    def logits(self, ids: Ids) -> Logits:
        self.request.reset_state()
        return self.step(ids[None], 0)

    def decode(self, first: Ids, count: int) -> None:
        self.request.reset_state()
        ids = first[:, None]
        for past in range(count):
            ids = self.step(ids, past).argmax(axis=1)[:, None]


class CTranslate2:
    """A generator, which speaks of tokens by their text."""

    def __init__(self, folder: Path, dtype: str) -> None:
        import ctranslate2

        self.engine = ctranslate2.Generator(
            str(folder / "ctranslate2"),
            device="cpu",
            inter_threads=1,
            intra_threads=THREADS,
            compute_type={"f32": "float32", "int8": "int8"}[dtype],
        )

    def logits(self, ids: Ids) -> Logits:
        return np.array(self.engine.forward_batch([_words(ids)]))[0, -1]

    def prompt(self, ids: Ids) -> None:
        """Compute a prompt [T] and draw one token: its forward pass gives logits of all rows."""
        self._generate([_words(ids)], 1)

    def decode(self, first: Ids, count: int) -> None:
        self._generate([[word] for word in _words(first)], count)

    def _generate(self, starts: list[list[str]], count: int) -> None:
        self.engine.generate_batch(
            starts,
            max_length=count,
            min_length=count,
            sampling_topk=1,
            include_prompt_in_result=False,
            max_batch_size=len(starts),
        )


def _words(ids: Ids) -> list[str]:
    return [f"w{index}" for index in ids]


class DecoderServer:
    """One model in one format, computed by one engine."""

    def __init__(self, engine: str, folder: Path, dtype: str, vocabulary: int) -> None:
        self.engine = {"openvino": OpenVino, "ctranslate2": CTranslate2}[engine](folder, dtype)
        self.vocabulary = vocabulary

    def logits(self, ids: list[int]) -> list[float]:
        """Return the last row's logits [V] of a whole prompt."""
        values: list[float] = self.engine.logits(np.array(ids)).reshape(-1).tolist()
        return values

    def prompt(self, length: int, seed: int) -> dict[str, float]:
        """Time a prompt, after one that warms up."""
        ids = random_ids(seed, length, vocabulary=self.vocabulary)
        compute = getattr(self.engine, "prompt", self.engine.logits)
        compute(ids)
        start = time.perf_counter()
        compute(ids)
        return {"seconds": time.perf_counter() - start}

    def decode(self, batch: int, count: int, seed: int) -> dict[str, float]:
        """Time ``count`` tokens of each of ``batch`` sequences."""
        first = random_ids(seed, batch, vocabulary=self.vocabulary)
        self.engine.decode(first, WARM_UP)
        start = time.perf_counter()
        self.engine.decode(first, count)
        return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    serve(lambda: DecoderServer(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
