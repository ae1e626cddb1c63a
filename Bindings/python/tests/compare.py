"""How results are compared, and the second opinion on them: the model file's own graph in onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

TOLERANCE = 1e-5
"""Relative; float32 sums in another order differ by about 1e-6 on these models."""


def relative_error(found: Any, expected: Any) -> float:
    """‖found - expected‖ / ‖expected‖, in float64."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def same_bits(found: Any, expected: Any) -> bool:
    """Whether two float32 arrays are equal bit for bit."""
    assert found.dtype == expected.dtype == np.float32
    return found.shape == expected.shape and bool((found.view(np.int32) == expected.view(np.int32)).all())


class Graph:
    """A model file run by onnxruntime."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def forward(self, row: Any) -> tuple[np.ndarray, np.ndarray]:
        """Logits [T, V] and depths [T] of one row, by threshold selection."""
        logits, depth = self._session.run(["logits", "depth"], {"input_ids": np.asarray([row], np.int64)})
        return logits[0], depth[0]

    def exits(self, row: Any, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        """Logits and depths of one row; `options` are inputs of a looped model's graph: exit_threshold, exit_from, …"""
        types = {"exit_threshold": np.float32, "full_kv": np.bool_}
        given = {f"graph.{name}": np.array(value, types.get(name, np.int64)) for name, value in options.items()}
        feed = {"input_ids": np.asarray([row], np.int64)} | given
        logits, depth = self._session.run(["logits", "depth"], feed)
        return logits[0], depth[0]

    def rate(self, row: Any) -> float:
        """The raw score of one row."""
        ids = np.asarray([row], np.int64)
        (score,) = self._session.run(["score"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        return float(score[0])

    def outputs(self, row: Any, padding: int = 0) -> np.ndarray:
        """The outputs of one row, [n], with so many tokens that are none after it."""
        ids = np.asarray([[*row, *[0] * padding]], np.int64)
        mask = (np.arange(ids.shape[1]) < len(row)).astype(np.int64)[None]
        name = next(output.name for output in self._session.get_outputs() if output.name in ("logits", "score"))
        (outputs,) = self._session.run([name], {"input_ids": ids, "attention_mask": mask})
        return np.atleast_1d(outputs[0])
