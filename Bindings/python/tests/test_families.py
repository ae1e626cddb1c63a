"""Qwen2, Qwen3, Mistral, SmolLM3 and Llama with scaled positions, as transformers computes them; both ages of keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from compare import TOLERANCE, Graph, relative_error
from transformers import (
    ArceeConfig,
    ArceeForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    SmolLM3Config,
    SmolLM3ForCausalLM,
)

import rally
from rally.convert import convert
from rally.convert.rope import read_rope
from rally.convert.settings import Settings
from rally.modelfile import ModelFileError

ROPE = Path(__file__).resolve().parents[3] / "Tests" / "Fixtures" / "rope" / "rope.json"
CLASSES: dict[str, tuple[Any, Any]] = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "smollm3": (SmolLM3Config, SmolLM3ForCausalLM),
    "arcee": (ArceeConfig, ArceeForCausalLM),
}
LLAMA3 = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 500.0}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama, linear": ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}}),
    "llama, linear, and a length": (
        "llama",
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "original_max_position_embeddings": 16}},
    ),
    "llama, llama3": (
        "llama",
        {"rope_parameters": LLAMA3 | {"original_max_position_embeddings": 16, "rope_theta": 500.0}},
    ),
    "llama, yarn": ("llama", {"rope_parameters": YARN}),
    "llama, yarn without rounding": ("llama", {"rope_parameters": YARN | {"truncate": False, "mscale": 0.7}}),
    "mistral, a window": ("mistral", {"sliding_window": 7}),
    "mistral, no window": ("mistral", {"sliding_window": None}),
    "mistral, wide heads": ("mistral", {"sliding_window": None, "head_dim": 12}),
    "qwen2": ("qwen2", {"tie_word_embeddings": True}),
    "qwen2, later layers slide": (
        "qwen2",
        {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 2},
    ),
    "qwen3": ("qwen3", {"head_dim": 16}),
    "qwen3, biases, types of layers": (
        "qwen3",
        {
            "head_dim": 16,
            "attention_bias": True,
            "use_sliding_window": True,
            "sliding_window": 6,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
        },
    ),
    "smollm3": ("smollm3", {}),
    "smollm3, listed": ("smollm3", {"no_rope_layers": [0, 1, 1, 0], "mlp_bias": True, "attention_bias": True}),
    "arcee": ("arcee", {"mlp_bias": True}),
    "smollm3, yarn": ("smollm3", {"rope_parameters": YARN, "no_rope_layer_interval": 2}),
}


def make(kind: str, changes: dict[str, Any], folder: Path) -> Any:
    """Save a small model with random weights of order one, and return it."""
    torch.manual_seed(len(str(changes)))
    settings: dict[str, Any] = {
        "vocab_size": 67,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "attn_implementation": "eager",
    }
    config, model = CLASSES[kind]
    reference = model(config(**(settings | changes))).eval()
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter)) if parameter.dim() == 1 else parameter.mul_(8)
    reference.save_pretrained(folder)
    return reference


def older(folder: Path) -> None:
    """Write the configuration as transformers 4 did: `rope_theta` at the top, `rope_scaling` with `type`."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config |= {"rope_theta": rope.pop("rope_theta"), "transformers_version": "4.45.0", "torch_dtype": "float32"}
    config.pop("layer_types", None)
    config["rope_scaling"] = None
    if rope["rope_type"] != "default":
        config["rope_scaling"] = {"type": rope.pop("rope_type"), **rope}
    path.write_text(json.dumps(config))


AGED = [
    (name, age)
    for name, (_, changes) in CASES.items()
    for age in ("5", "4")
    if age == "5" or "layer_types" not in changes
]


@pytest.mark.parametrize(("name", "age"), AGED)
def test_equals_transformers(name: str, age: str, tmp_path: Path) -> None:
    kind, changes = CASES[name]
    reference = make(kind, changes, tmp_path / "checkpoint")
    if age == "4":
        older(tmp_path / "checkpoint")
    convert(tmp_path / "checkpoint", tmp_path / "one.onnx", quiet=True)
    graph = Graph(tmp_path / "one.onnx")
    with rally.Model(tmp_path / "one.onnx", threads=1) as model:
        for length in (1, 3, 40):
            row = torch.randint(0, 67, [length])
            with torch.no_grad():
                expected = reference(row[None]).logits[0].numpy()
            (found,) = model.forward([row.tolist()])
            assert relative_error(found.logits, expected) <= TOLERANCE
            assert relative_error(graph.forward(row.tolist())[0], expected) <= TOLERANCE


@pytest.mark.parametrize("case", json.loads(ROPE.read_text())["cases"], ids=lambda case: case["name"])
def test_frequencies(case: dict[str, Any]) -> None:
    names = ("max_position_embeddings", "rope_theta", "rope_scaling")
    rope = read_rope(Settings({name: case[name] for name in names}, "config.json"), case["head_dim"])
    (found,) = rope.frequencies(case["head_dim"])
    assert np.abs(found / np.array(case["inv_freq"]) - 1).max() <= 1e-6
    factor = rope.tables[0].attention_factor if rope.tables else 1.0
    assert factor == pytest.approx(case["attention_factor"], rel=1e-7)


NESTED = {"full_attention": {"rope_type": "default", "rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}
TYPES = ("sliding_attention", "full_attention", "sliding_attention")


def test_parameters_by_type_of_layer() -> None:
    rope = read_rope(Settings({"rope_parameters": NESTED}, "config.json"), 8, TYPES)
    assert rope.layers == (0, 1, 0)
    assert np.allclose([table.inv_freq[1] for table in rope.tables], [1e4**-0.25, 1e6**-0.25], rtol=1e-12)
    rope = read_rope(Settings({"rope_parameters": NESTED | {"full_attention": None}}, "config.json"), 8, TYPES)
    assert (rope.theta, rope.tables, rope.layers) == (1e4, (), (0, None, 0))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "kind": ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "'dynamic' is not supported; known: default"),
    "section": ({"rope_parameters": {"mrope_section": [1, 2]}}, "missing rope_type"),
    "key": ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "beta": 1}}, "beta is not supported"),
    "part": ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor 0.5"),
    "factor": ({"rope_scaling": {"rope_type": "yarn", "factor": 0.0}}, "factor: expected a number above 0, found 0"),
    "missing": ({"rope_scaling": {"rope_type": "llama3", "factor": 2.0}}, "missing low_freq_factor"),
    "order": ({"rope_scaling": LLAMA3 | {"low_freq_factor": 4.0}}, "low_freq_factor 4.0 must be below"),
    "two kinds": ({"rope_scaling": {"rope_type": "linear", "type": "yarn", "factor": 2.0}}, "keep one of them"),
    "contradiction": (
        {"rope_parameters": LLAMA3, "rope_scaling": LLAMA3 | {"factor": 8.0}},
        "rope_parameters has factor 4.0, rope_scaling 8.0",
    ),
    "theta": ({"rope_theta": -1.0}, "rope_theta"),
    "text": ({"rope_scaling": "yarn"}, "rope_scaling has the unusable value 'yarn'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_positions_that_are_refused(name: str) -> None:
    changes, message = WRONG[name]
    with pytest.raises(ModelFileError, match=message):
        read_rope(Settings({"max_position_embeddings": 64} | changes, "config.json"), 8)


def test_a_missing_length_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    config = {"max_position_embeddings": 64, "rope_scaling": {"rope_type": "yarn", "factor": 2.0}}
    read_rope(Settings(config, "config.json"), 8)
    assert "original_max_position_embeddings is missing" in capsys.readouterr().err
    above = read_rope(Settings(config | {"original_max_position_embeddings": 16}, "config.json"), 8)
    assert capsys.readouterr().err == ""
    inside = {"rope_scaling": config["rope_scaling"] | {"original_max_position_embeddings": 16}}
    assert above == read_rope(Settings(config | inside, "config.json"), 8)
