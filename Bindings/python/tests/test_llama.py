"""Plain Llama checkpoints, as transformers saves and computes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from compare import TOLERANCE, Graph, relative_error
from transformers import LlamaConfig, LlamaForCausalLM

import rally
from rally.convert import convert

CASES: dict[str, dict[str, Any]] = {
    "tied": {"tie_word_embeddings": True},
    "untied": {"tie_word_embeddings": False},
    "one key head": {"num_key_value_heads": 1},
    "all key heads": {"num_key_value_heads": 6},
    "attention bias": {"attention_bias": True},
    "all biases": {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True},
    "another theta": {"rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0}, "rms_norm_eps": 1e-6},
    "wide heads": {"head_dim": 16},
}


@pytest.mark.parametrize("name", CASES)
def test_equals_transformers(name: str, tmp_path: Path) -> None:
    torch.manual_seed(len(name))
    settings: dict[str, Any] = {
        "vocab_size": 101,
        "hidden_size": 48,
        "intermediate_size": 72,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    reference = LlamaForCausalLM(LlamaConfig(**(settings | CASES[name]))).eval()
    with torch.no_grad():
        for parameter in reference.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
            else:
                parameter.mul_(6)
    checkpoint, path = tmp_path / "checkpoint", tmp_path / "llama.onnx"
    reference.save_pretrained(checkpoint)
    convert(checkpoint, path, quiet=True)

    rows = [torch.randint(0, 101, [length]).tolist() for length in (1, 2, 33, 64)]
    graph = Graph(path)
    with rally.Model(path, threads=2) as model:
        assert model.info.routing == "none"
        for row, found in zip(rows, model.forward(rows), strict=True):
            with torch.no_grad():
                expected = reference(torch.tensor([row])).logits[0].numpy()
            assert relative_error(found.logits, expected) <= TOLERANCE
            assert relative_error(found.logits, graph.forward(row)[0]) <= TOLERANCE
            assert found.depth.tolist() == [1] * len(row)
