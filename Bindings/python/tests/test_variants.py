"""Every variant of the format through the engine: against the independent reference, and against onnxruntime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import variants
from compare import TOLERANCE, Graph, relative_error

import rally
from rally import RallyError, Status
from rally.convert import convert


def converted(case: variants.Case, folder: Path) -> Path:
    path = folder / "model.onnx"
    convert(case.write(folder / "checkpoint"), path, quiet=True)
    return path


def rounding(case: variants.Case, row: list[int], selection: str = "threshold", cap: int | None = None) -> float:
    """What rounding the weights once more does to the reference: a few cases, with unbounded gates, amplify it."""
    expected, random = case.reference(row, selection, cap)[0], torch.Generator().manual_seed(0)

    def rounded(weight: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(weight.shape, generator=random, dtype=torch.float64)
        return weight.double() * (1 + 2.0**-24 * noise)

    others = [replace(case, state={name: rounded(weight) for name, weight in case.state.items()}) for _ in range(3)]
    return max(relative_error(other.reference(row, selection, cap)[0], expected) for other in others)


@pytest.mark.parametrize("case", list(variants.language_models()), ids=lambda case: case.name)
def test_language_model(case: variants.Case, tmp_path: Path) -> None:
    path, rows = converted(case, tmp_path), case.rows()
    graph = Graph(path)
    caps = [None, 1, 2, 3] if case.routed else [None]
    with rally.Model(path, threads=2) as model:
        assert model.metadata["rally.routing"] == model.info.routing
        for selection in ("threshold", "topk") if case.routed else ("threshold",):
            for cap in caps:
                some = rows if cap is None else rows[2:3]
                for row, found in zip(some, model.forward(some, selection, cap), strict=True):
                    logits, depth = case.reference(row, selection, cap)
                    assert found.depth.tolist() == depth.tolist(), (selection, cap)
                    error = relative_error(found.logits, logits)
                    assert error <= TOLERANCE or error <= 3 * rounding(case, row, selection, cap), (selection, cap)
        for row, found in zip(rows, model.forward(rows), strict=True):
            logits, depth = graph.forward(row)
            assert found.depth.tolist() == depth.tolist()
            error = relative_error(found.logits, logits)
            assert error <= TOLERANCE or error <= 3 * rounding(case, row)


@pytest.mark.parametrize("case", list(variants.language_models()), ids=lambda case: case.name)
def test_generation(case: variants.Case, tmp_path: Path) -> None:
    """Token by token with a cache, against the full forward."""
    with rally.Model(converted(case, tmp_path), threads=1) as model:
        prompts = case.rows((1, 9))
        if model.metadata.get("rally.kv_cache") == "hybrid":  # keys of the step only: made for whole rows
            with pytest.raises(RallyError) as caught:
                model.generate(prompts, max_tokens=12)
            assert caught.value.code == Status.UNSUPPORTED
            return
        results = model.generate(prompts, max_tokens=12, stop_at_eos=False)
        for prompt, result in zip(prompts, results, strict=True):
            whole = prompt + result.tokens
            (logprobs,), (forward,) = model.logprobs([whole]), model.forward([whole])
            np.testing.assert_array_equal(result.logprobs, logprobs[len(prompt) - 1 :])
            np.testing.assert_array_equal(result.depth, forward.depth[len(prompt) - 1 : -1])


@pytest.mark.parametrize("case", list(variants.raters()), ids=lambda case: case.name)
def test_rater(case: variants.Case, tmp_path: Path) -> None:
    path, rows = converted(case, tmp_path), case.rows()
    graph = Graph(path)
    with rally.Model(path, threads=2) as model:
        scores = model.rate(rows)
        assert relative_error(scores, [case.reference(row) for row in rows]) <= TOLERANCE
        assert relative_error(scores, [graph.rate(row) for row in rows]) <= TOLERANCE
        squashed = model.rate(rows, squash=True)
        metadata = model.metadata
    expected, kind = scores.astype(np.float64), metadata["rally.squash"]
    if kind != "none":
        expected = 1 / (1 + np.exp(-expected / float(metadata["rally.squash_temperature"])))
    if kind == "clamp":
        expected = expected.clip(float(metadata["rally.squash_min"]), float(metadata["rally.squash_max"]))
    np.testing.assert_allclose(squashed, expected, rtol=1e-6, atol=1e-7)
