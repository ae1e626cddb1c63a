"""The adaptive model of the SmolLM2 example, small and random: PyTorch's definition, the file's graph and Rally agree."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from compare import TOLERANCE, Graph, relative_error, same_bits

import rally
from rally import verify
from rally.convert.llama import base_fields
from rally.convert.settings import Settings

EXAMPLE = Path(__file__).parents[3] / "Examples" / "smollm2"
LENGTHS = (90, 1, 33)


@pytest.fixture(scope="module")
def adaptive() -> Any:
    """The example's module."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        import adaptive  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(EXAMPLE))
    return adaptive


@pytest.fixture(scope="module")
def model(adaptive: Any) -> Any:
    """Two first layers, three groups of two, one last layer; gates that let tokens go everywhere."""
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=300, hidden_size=64, intermediate_size=160, num_hidden_layers=9, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=True, initializer_range=0.2,
    )  # fmt: skip
    made = adaptive.Adaptive(transformers.LlamaForCausalLM(config).eval(), first=2, size=2, recursions=3)
    for gate in made.gates:
        torch.nn.init.normal_(gate.weight, std=0.1)
        torch.nn.init.constant_(gate.bias, -0.7)
    return made.requires_grad_(False)


@pytest.fixture(scope="module")
def path(adaptive: Any, model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place: Path = tmp_path_factory.mktemp("adaptive") / "model.onnx"
    fields = base_fields(Settings(model.base.config.to_dict(), "config.json"))
    adaptive.export(model, place, 0.5, 2.0, {"name": "small", "tie_word_embeddings": True, **fields})
    return place


@pytest.fixture(scope="module")
def rows() -> list[list[int]]:
    random = np.random.default_rng(5)
    return [random.integers(0, 300, length).tolist() for length in LENGTHS]


@pytest.mark.parametrize("threshold", [0.0, 0.35, 0.5, 0.7, 1.0])
def test_all_three_agree(threshold: float, model: Any, path: Path, rows: list[list[int]]) -> None:
    graph = Graph(path)
    seen: set[int] = set()
    with rally.Model(path, threads=2) as opened:
        together = opened.forward(rows, exit_threshold=threshold)
        for row, found in zip(rows, together, strict=True):
            wanted = model(model.prefix(torch.tensor([row])), threshold=threshold if threshold < 1 else 2.0)
            logits, depth = graph.exits(row, exit_threshold=threshold)
            assert found.depth.tolist() == depth.tolist() == wanted.depths[0].tolist()
            assert relative_error(found.logits, model.base.lm_head(wanted.hidden)[0]) <= TOLERANCE
            assert relative_error(found.logits, logits) <= TOLERANCE
            (alone,) = opened.forward([row], exit_threshold=threshold)
            assert same_bits(alone.logits, found.logits)
            seen |= set(depth.tolist())
    assert seen == {0.0: {1}, 1.0: {3}}.get(threshold, {1, 2, 3})


def test_what_training_assumes(model: Any, rows: list[list[int]]) -> None:
    """Depths that are given run as those that gates choose, and full depth is the Llama."""
    ids = torch.tensor([rows[0]])
    by_gates = model(model.prefix(ids), threshold=0.5)
    given = model(model.prefix(ids), depths=by_gates.depths)
    assert torch.equal(given.hidden, by_gates.hidden)
    full = model.base.lm_head(model(model.prefix(ids)).hidden)
    assert relative_error(full, model.base(ids).logits) <= TOLERANCE


def test_the_file_verifies(path: Path) -> None:
    compared = verify.verify(path)
    assert len(compared) == 8
    assert all(one.agrees for one in compared)
