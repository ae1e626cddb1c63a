"""Brings a GGUF file into the forms of a checkpoint folder: Hugging Face's names and a ``config.json``."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch

from rally.convert.checkpoint import Checkpoint, Source
from rally.convert.gguf_file import GgufFile
from rally.convert.settings import Settings
from rally.modelfile import ModelFileError
from rally.modelfile.tensors import Array

#: Architectures; llama.cpp keeps a Llama's q and k with their rows in another order, and Qwen's as they are.
ARCHITECTURES = ("llama", "qwen2", "qwen3")

_TENSORS = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_PARTS = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_LAYER = re.compile(r"blk\.(\d+)\.(\w+)\.(weight|bias)")

#: Factors by which a Llama 3's frequencies are divided: its scaling, computed by whoever wrote the file.
ROPE_FACTORS = "rope_freqs.weight"

#: Keys below the architecture's name that are read, and those that say nothing.
_FIELDS = {
    "block_count": "num_hidden_layers",
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.key_length": "head_dim",
    "rope.freq_base": "rope_theta",
}
_CHECKED = ("attention.value_length", "rope.dimension_count", "attention.sliding_window", "attention.causal")
_HARMLESS = ("vocab_size", "tensor_data_layout", "attention.layer_norm_epsilon", "rope.scaling.finetuned")
_SCALING = {
    "rope.scaling.factor": "factor",
    "rope.scaling.original_context_length": "original_max_position_embeddings",
    "rope.scaling.yarn_beta_fast": "beta_fast",
    "rope.scaling.yarn_beta_slow": "beta_slow",
}


def read_config(file: GgufFile) -> Settings:
    """Return the fields of a ``config.json`` that the file's keys amount to.

    Raises
    ------
    ModelFileError
        When the architecture is not known, or a key changes the mathematics in a way that is not.
    """
    source, values = file.path.name, file.values
    kind = values.get("general.architecture")
    if kind not in ARCHITECTURES:
        raise ModelFileError(
            f"{source}: general.architecture {kind!r} is not supported; known: {', '.join(ARCHITECTURES)}"
        )
    if values.get("split.count", 0) > 1:
        raise ModelFileError(f"{source}: one of {values['split.count']} parts: join them first (gguf-split --merge)")
    own = {key.removeprefix(f"{kind}."): value for key, value in values.items() if key.startswith(f"{kind}.")}
    known = {*_FIELDS, *_CHECKED, *_HARMLESS, *_SCALING, "rope.scaling.type", "rope.scaling.attn_factor"}
    other = [key for key, value in own.items() if key not in known and value not in (0, 0.0, False, None)]
    if other:
        raise ModelFileError(f"{source}: {kind}.{other[0]} {own[other[0]]!r} is not supported")
    config = {name: _short(own[key]) for key, name in _FIELDS.items() if key in own}
    config |= {"model_type": kind, "hidden_act": "silu", "tie_word_embeddings": "output.weight" not in file.tensors}
    if kind == "llama":
        config["attention_bias"] = any(name.endswith("attn_q.bias") for name in file.tensors)
    if "token_embd.weight" in file.tensors:
        config["vocab_size"] = file.tensors["token_embd.weight"].dims[0]
    config |= _ends(values)
    settings = Settings(config | _scaling(source, own), source)
    _check(settings, own, f"{source}: {kind}.")
    return settings


def _short(value: Any) -> Any:
    """Return an f32 as the shortest decimal that stands for it: 1e-05 for 9.999999747378752e-06."""
    return float(str(np.float32(value))) if isinstance(value, float) else value


def _ends(values: dict[str, Any]) -> dict[str, Any]:
    names = {name: f"tokenizer.ggml.{name}_token_id" for name in ("bos", "eos", "eot", "eom")}
    ids = {name: values[key] for name, key in names.items() if key in values}
    ends = list(dict.fromkeys(ids[name] for name in ("eos", "eot", "eom") if name in ids))
    return {"bos_token_id": ids.get("bos"), "eos_token_id": ends or None}


def _scaling(source: str, own: dict[str, Any]) -> dict[str, Any]:
    kind = own.get("rope.scaling.type", "none")
    if kind == "none":
        return {}
    if kind not in ("linear", "yarn"):
        raise ModelFileError(f"{source}: rope.scaling.type {kind!r} is not supported; known: none, linear, yarn")
    scaling = {name: _short(own[key]) for key, name in _SCALING.items() if key in own}
    if own.get("rope.scaling.attn_factor", 1.0) != 1.0:
        raise ModelFileError(f"{source}: rope.scaling.attn_factor {own['rope.scaling.attn_factor']} is not supported")
    return {"rope_scaling": {"rope_type": kind, **scaling}}


def _check(config: Settings, own: dict[str, Any], prefix: str) -> None:
    width = config.integer("head_dim", config.integer("hidden_size") // config.integer("num_attention_heads"))
    for key in ("attention.value_length", "rope.dimension_count"):
        if own.get(key, width) != width:
            raise ModelFileError(f"{prefix}{key} {own[key]!r} is not supported: expected the width of a head, {width}")
    window = own.get("attention.sliding_window") or 0
    if 0 < window < config.integer("max_position_embeddings"):
        raise ModelFileError(f"{prefix}attention.sliding_window {window} is not supported")
    if own.get("attention.causal", True) is not True:
        raise ModelFileError(f"{prefix}attention.causal {own['attention.causal']!r} is not supported")


class GgufCheckpoint(Checkpoint):
    """The tensors of a GGUF file under Hugging Face's names, matrices in Hugging Face's order of rows."""

    def __init__(self, file: GgufFile, config: Settings) -> None:
        self.directory = file.path
        self.sources: dict[str, Source] = {}
        self._open_files = ExitStack()
        heads = config.integer("num_attention_heads")
        turned = {"attn_q": heads, "attn_k": config.integer("num_key_value_heads", heads)}
        for name, tensor in file.tensors.items():
            if name == ROPE_FACTORS:
                continue
            match = _LAYER.fullmatch(name)
            key, groups = _TENSORS.get(name, name), None
            if match and match[2] in _PARTS:
                key = f"model.layers.{match[1]}.{_PARTS[match[2]]}.{match[3]}"
                groups = turned.get(match[2]) if config.values["model_type"] == "llama" else None
            dtype = {"F16": torch.float16, "BF16": torch.bfloat16}.get(tensor.kind, torch.float32)
            self.sources[key] = Source(tensor.dims, dtype, _loader(tensor.load, dtype, groups))


def _loader(load: Any, dtype: torch.dtype, groups: int | None) -> Any:
    def run() -> torch.Tensor:
        array: Array = load()
        if groups and array.shape[0] % (2 * groups) == 0:
            array = _halves(array, groups)
        tensor = torch.from_numpy(np.array(array))
        return tensor.view(torch.bfloat16) if dtype == torch.bfloat16 else tensor

    return run


def _halves(array: Array, groups: int) -> Array:
    """Return rows in the order of rotate-half: llama.cpp keeps the two rows of a pair next to each other."""
    pairs = array.reshape(groups, array.shape[0] // groups // 2, 2, *array.shape[1:])
    return pairs.swapaxes(1, 2).reshape(array.shape)
