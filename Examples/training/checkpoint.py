"""Read and write the reference checkpoint layout: safetensors, config.json, mor.json."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from model import LanguageModel, Shape

END_OF_TEXT = 0


def reference_tensors(model: LanguageModel) -> dict[str, torch.Tensor]:
    """Name every tensor as the reference code does; shared layers once per recursion."""
    state = {k: v.detach().float().cpu() for k, v in model.state_dict().items()}
    shape = model.shape
    out = {
        "model.embed_tokens.weight": state["embed_tokens.weight"],
        "model.norm.weight": state["norm.weight"],
        "lm_head.weight": state["embed_tokens.weight"].clone(),
    }
    for name, value in state.items():
        part, _, rest = name.partition(".")
        if part == "first":
            out[f"model.layers.0.{rest}"] = value
        elif part == "last":
            out[f"model.layers.{shape.recursions + 1}.{rest}"] = value
        elif part == "routers":
            r, _, leaf = rest.partition(".")
            out[f"model.layers.{1 + int(r)}.mor_router.router.{leaf}"] = value
        elif part == "block" and not shape.recursions:
            out[f"model.layers.{rest}"] = value
        elif part == "block":
            for r in range(shape.recursions):
                out[f"model.layers.{1 + r}.block.{rest}"] = value.clone()
    return {k: v.contiguous() for k, v in out.items()}


def llama_config(shape: Shape) -> dict:
    """Return the plain LlamaConfig fields; layers are counted unrolled."""
    layers = shape.block_layers * max(shape.recursions, 1) + (2 if shape.recursions else 0)
    return {
        "architectures": ["MoRLlamaForCausalLM" if shape.recursions else "LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": END_OF_TEXT,
        "eos_token_id": END_OF_TEXT,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "hidden_size": shape.width,
        "initializer_range": 0.02,
        "intermediate_size": shape.feed_forward,
        "max_position_embeddings": shape.context,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": shape.heads,
        "num_hidden_layers": layers,
        "num_key_value_heads": shape.kv_heads,
        "pretraining_tp": 1,
        "rms_norm_eps": shape.eps,
        "rope_scaling": None,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": shape.vocab,
    }


def mor_config(shape: Shape) -> dict:
    """Return the routing fields that LlamaConfig has no place for."""
    return {
        "type": "expert",
        "num_recursion": shape.recursions,
        "sharing": "middle_cycle",
        "base_depth": shape.block_layers,
        "capacity": list(shape.capacity),
        "kv_sharing": False,
        "update_cache": False,
        "alpha": shape.alpha,
        "router_func": "sigmoid",
        "router_type": "linear",
        "temp": 1.0,
        "gating": "weighted",
        "sampling": "aux_loss",
        "balancing": None,
    }


def write_json(path: Path, value: dict) -> None:
    """Write ``value`` as indented JSON."""
    path.write_text(json.dumps(value, indent=1) + "\n")


def save(model: LanguageModel, tokenizer: Path, folder: Path) -> None:
    """Write the whole checkpoint; each file appears complete or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "model.safetensors.partial"
    save_file(reference_tensors(model), partial)
    partial.replace(folder / "model.safetensors")
    write_json(folder / "config.json", llama_config(model.shape))
    if model.shape.recursions:
        write_json(folder / "mor.json", mor_config(model.shape))
    shutil.copyfile(tokenizer, folder / "tokenizer.json")


def load(folder: Path) -> LanguageModel:
    """Read a checkpoint written by :func:`save` or by the reference code (expert, middle-cycle)."""
    config = json.loads((folder / "config.json").read_text())
    routing_file = folder / "mor.json"
    routing = json.loads(routing_file.read_text()) if routing_file.exists() else None
    shape = Shape(
        vocab=config["vocab_size"],
        width=config["hidden_size"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        head_dim=config["head_dim"],
        feed_forward=config["intermediate_size"],
        block_layers=routing["base_depth"] if routing else config["num_hidden_layers"],
        recursions=routing["num_recursion"] if routing else 0,
        capacity=tuple(routing["capacity"]) if routing else (),
        alpha=routing["alpha"] if routing else 0.0,
        context=config["max_position_embeddings"],
        rope_theta=config["rope_theta"],
        eps=config["rms_norm_eps"],
    )
    model = LanguageModel(shape)
    tensors = load_file(folder / "model.safetensors")
    names = reference_tensors(model)
    if set(names) != set(tensors):
        raise ValueError(f"keys differ: {sorted(set(names) ^ set(tensors))[:4]}")
    model.load_state_dict({k: tensors[reference_name(k, shape)] for k in model.state_dict()})
    return model


def reference_name(name: str, shape: Shape) -> str:
    """Map a parameter of :class:`LanguageModel` to its reference key (recursion 0 for shared ones)."""
    part, _, rest = name.partition(".")
    if part == "first":
        return f"model.layers.0.{rest}"
    if part == "last":
        return f"model.layers.{shape.recursions + 1}.{rest}"
    if part == "routers":
        r, _, leaf = rest.partition(".")
        return f"model.layers.{1 + int(r)}.mor_router.router.{leaf}"
    if part == "block":
        return f"model.layers.1.block.{rest}" if shape.recursions else f"model.layers.{rest}"
    return f"model.{name}"
