"""Configurations that nobody thought of: random sizes and choices of every architecture, against transformers in f64."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from compare import Graph, relative_error, same_bits

import rally
from rally.convert import convert

SEEDS = range(3)
#: Random weights of order one, in networks of up to five layers.
TOLERANCE = 1e-4


def rope(draw: random.Random) -> dict[str, Any]:
    theta = draw.choice([100.0, 500.0, 1e4, 1e6])
    kinds: dict[str, dict[str, Any]] = {
        "default": {},
        "linear": {"factor": draw.choice([1.5, 2.0, 4.0])},
        "llama3": {
            "factor": draw.choice([2.0, 8.0]),
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": draw.choice([8, 16, 32]),
        },
        "yarn": {
            "factor": draw.choice([2.0, 4.0]),
            "original_max_position_embeddings": 16,
            "attention_factor": draw.choice([None, 0.9, 1.2]),
        },
    }
    kind = draw.choice(list(kinds))
    return {"rope_type": kind, "rope_theta": theta} | {key: value for key, value in kinds[kind].items() if value}


def decoder(draw: random.Random) -> dict[str, Any]:
    groups = draw.choice([1, 2, 3, 4])
    heads = groups * draw.choice([1, 2, 3])
    return {
        "vocab_size": draw.choice([17, 50, 131]),
        "hidden_size": heads * draw.choice([3, 5, 8, 11]),
        "num_hidden_layers": draw.choice([1, 2, 3, 4]),
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        "head_dim": draw.choice([2, 4, 6, 10, 16, 24]),
        "intermediate_size": draw.choice([7, 16, 33, 64]),
        "max_position_embeddings": 64,
        "rms_norm_eps": draw.choice([1e-6, 1e-5, 1e-3]),
        "tie_word_embeddings": draw.random() < 0.5,
        "hidden_act": draw.choice(["silu", "silu", "gelu", "gelu_pytorch_tanh", "relu"]),
        "rope_parameters": rope(draw),
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "num_labels": draw.choice([1, 2, 4]),
    }


def with_biases(draw: random.Random) -> dict[str, Any]:
    return {"attention_bias": draw.random() < 0.5, "mlp_bias": draw.random() < 0.5}


def with_windows(draw: random.Random) -> dict[str, Any]:
    if draw.random() < 0.5:
        return {}
    return {"use_sliding_window": True, "sliding_window": draw.choice([3, 5]), "max_window_layers": draw.choice([0, 1])}


def encoder(draw: random.Random) -> dict[str, Any]:
    heads = draw.choice([1, 2, 3, 4])
    return {
        "vocab_size": draw.choice([40, 131]),
        "hidden_size": heads * draw.choice([2, 4, 6, 8, 16, 32]),
        "num_hidden_layers": draw.choice([1, 2, 3]),
        "num_attention_heads": heads,
        "intermediate_size": draw.choice([7, 16, 33, 64]),
        "max_position_embeddings": 80,
        "hidden_act": draw.choice(["gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh"]),
        "layer_norm_eps": draw.choice([1e-12, 1e-5]),
        "type_vocab_size": draw.choice([1, 2]),
        "pad_token_id": draw.choice([0, 1]),
        "num_labels": draw.choice([1, 2, 3, 5]),
    }


def distilbert(draw: random.Random) -> dict[str, Any]:
    usual = encoder(draw)
    return {
        "vocab_size": usual["vocab_size"],
        "dim": usual["hidden_size"],
        "n_layers": usual["num_hidden_layers"],
        "n_heads": usual["num_attention_heads"],
        "hidden_dim": usual["intermediate_size"],
        "max_position_embeddings": 80,
        "activation": draw.choice(["gelu", "relu"]),
        "sinusoidal_pos_embds": draw.random() < 0.3,
        "num_labels": usual["num_labels"],
    }


def modernbert(draw: random.Random) -> dict[str, Any]:
    heads = draw.choice([1, 2, 3])
    return {
        "vocab_size": draw.choice([40, 131]),
        "hidden_size": heads * draw.choice([4, 8, 16]),
        "num_hidden_layers": draw.choice([1, 2, 3, 4, 5]),
        "num_attention_heads": heads,
        "intermediate_size": draw.choice([8, 16, 33]),
        "max_position_embeddings": 128,
        "local_attention": draw.choice([4, 8, 16, 128]),
        "global_attn_every_n_layers": draw.choice([1, 2, 3]),
        "norm_eps": draw.choice([1e-5, 1e-3]),
        "hidden_activation": draw.choice(["gelu", "silu"]),
        "classifier_pooling": draw.choice(["cls", "mean"]),
        "classifier_activation": draw.choice(["gelu", "relu"]),
        **{f"{part}_bias": draw.random() < 0.3 for part in ("attention", "mlp", "norm", "classifier")},
        **dict.fromkeys(("pad_token_id", "cls_token_id", "sep_token_id", "bos_token_id", "eos_token_id"), 0),
        "num_labels": draw.choice([1, 2, 3]),
    }


def deberta(draw: random.Random) -> dict[str, Any]:
    usual = encoder(draw)
    return usual | {
        "relative_attention": True,
        "position_buckets": draw.choice([-1, 4, 8, 32]),
        "pos_att_type": draw.choice([["p2c", "c2p"], ["c2p"], ["p2c"]]),
        "share_att_key": draw.random() < 0.7,
        "norm_rel_ebd": draw.choice(["layer_norm", "none"]),
        "position_biased_input": False,
        "type_vocab_size": 0,
        "pooler_hidden_size": usual["hidden_size"],
    }


def electra(draw: random.Random) -> dict[str, Any]:
    usual = encoder(draw)
    return usual | {"embedding_size": usual["hidden_size"]}


@dataclass(frozen=True)
class Architecture:
    """The beginning of its classes' names, and what its configurations are made of, later ones over earlier ones."""

    name: str
    parts: tuple[Callable[[random.Random], dict[str, Any]], ...]

    def module(self, seed: int, suffix: str) -> torch.nn.Module:
        draw = random.Random(f"{self.name} {seed}")
        values: dict[str, Any] = {}
        for part in self.parts:
            values |= part(draw)
        torch.manual_seed(seed)
        config = getattr(transformers, f"{self.name}Config")(**values)
        module: torch.nn.Module = getattr(transformers, self.name + suffix)(config)
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                gain = 1.0 if name.endswith("weight") and parameter.dim() == 1 else 0.0
                parameter.copy_(gain + (0.3 + 0.1 * (parameter.dim() > 1)) * torch.randn_like(parameter))
        return module.eval()


LANGUAGE_MODELS = (
    Architecture("Llama", (decoder, with_biases)),
    Architecture("Mistral", (decoder, lambda draw: {"sliding_window": draw.choice([None, 3, 5, 9])})),
    Architecture("Qwen2", (decoder, with_windows)),
    Architecture("Qwen3", (decoder, with_windows)),
    Architecture("SmolLM3", (decoder, with_biases, lambda draw: {"no_rope_layer_interval": draw.choice([2, 3, 4])})),
    Architecture("Arcee", (decoder, with_biases, lambda _: {"hidden_act": "relu2"})),
)

ENCODERS = (
    Architecture(
        "EuroBert", (decoder, with_biases, lambda draw: {"classifier_pooling": draw.choice(["bos", "mean", "late"])})
    ),
    Architecture("Bert", (encoder,)),
    Architecture("Roberta", (encoder,)),
    Architecture("XLMRoberta", (encoder,)),
    Architecture("DistilBert", (distilbert,)),
    Architecture("Electra", (electra,)),
    Architecture("ModernBert", (modernbert,)),
    Architecture("DebertaV2", (deberta,)),
)


def check(module: torch.nn.Module, folder: Path, classifies: bool) -> None:
    module.save_pretrained(folder / "checkpoint")  # type: ignore[operator]
    path = folder / "model.onnx"
    convert(folder / "checkpoint", path, quiet=True)
    draw = random.Random(0)
    rows = [[draw.randrange(3, 17) for _ in range(length)] for length in (1, 2, 17, 50)]
    with rally.Model(path, dtype="f32", threads=2) as model:
        found = numbers(model, rows, classifies)
        alone = [numbers(model, [row], classifies)[0] for row in rows]
    assert all(map(same_bits, found, alone))
    exact = module.double()
    with torch.inference_mode():
        expected = [exact(input_ids=torch.tensor([row])).logits[0].numpy() for row in rows]
    assert error(found, expected) <= TOLERANCE, module.config
    graph = Graph(path)
    drawn = [graph.outputs(row, padding=3) if classifies else graph.forward(row)[0] for row in rows]
    assert error(found, drawn) <= TOLERANCE, module.config


def numbers(model: rally.Model, rows: list[list[int]], classifies: bool) -> list[Any]:
    return list(model.rate_outputs(rows)) if classifies else [row.logits for row in model.forward(rows)]


def error(found: list[Any], expected: list[Any]) -> float:
    return relative_error(np.concatenate(found, axis=None), np.concatenate(expected, axis=None))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("architecture", LANGUAGE_MODELS, ids=lambda architecture: architecture.name)
def test_language_models(architecture: Architecture, seed: int, tmp_path: Path) -> None:
    check(architecture.module(seed, "ForCausalLM"), tmp_path, classifies=False)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("architecture", [*LANGUAGE_MODELS, *ENCODERS], ids=lambda architecture: architecture.name)
def test_classifiers(architecture: Architecture, seed: int, tmp_path: Path) -> None:
    check(architecture.module(seed, "ForSequenceClassification"), tmp_path, classifies=True)
