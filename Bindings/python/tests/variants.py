"""Tiny random checkpoints of every variant, in the layouts that the converter reads.

>>> for case in variants.all():
...     case.write(folder)
...     logits, depth = case.reference(ids)   # a rater: score = case.reference(ids)

Settings are combined so that every three settings of a language model, and every two of a rater, meet in some case.
Weights are of order one, so that every
part of a model matters to the result and tokens leave at every depth.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import reference
import torch
from random_layers import (
    GROUPS,
    HEAD_DIM,
    HEADS,
    INNER,
    POSITIONS,
    VOCAB,
    WIDTH,
    Weights,
    covering,
    under,
)
from safetensors.torch import save_file
from torch import Tensor

from rally.modelfile.activations import ACTIVATIONS

RECURSIONS, DEPTH = 3, 2


@dataclass(frozen=True)
class Case:
    """One checkpoint.

    Attributes
    ----------
    name : str
        Unique; says the settings.
    config, mor : dict
        ``config.json``; ``mor.json``, or None for no such file.
    state : dict of str to Tensor
        The weights under the checkpoint's keys.
    expected : dict of str to str
        Metadata that the model file must have.
    """

    name: str
    config: dict[str, Any]
    mor: dict[str, Any] | None
    state: dict[str, Tensor] = field(repr=False)
    expected: dict[str, str] = field(default_factory=dict, repr=False)
    encoder: reference.EncoderRater | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        """``lm`` or ``rater``."""
        return self.expected["rally.kind"]

    @property
    def routed(self) -> bool:
        """Tell whether tokens leave at different depths, so that ``selection`` and ``max_depth`` mean something."""
        return self.mor is not None and self.mor.get("type") is not None

    def write(self, directory: Path) -> Path:
        """Write the checkpoint into a folder, which is made if need be; returns it."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config.json").write_text(json.dumps(self.config))
        if self.mor is not None:
            (directory / "mor.json").write_text(json.dumps(self.mor))
        save_file(
            {key: value.contiguous().clone() for key, value in self.state.items()}, directory / "model.safetensors"
        )
        return directory

    def reference(self, ids: list[int], selection: str = "threshold", max_depth: int | None = None) -> Any:
        """Compute a row: (logits [T, V], depth [T]) of a language model, the score (a float) of a rater."""
        if self.encoder is not None:
            return self.encoder.score(ids)
        if self.kind == "rater":
            return reference.Rater(self.state, self.config).score(ids)
        logits, depth = reference.LanguageModel(self.state, self.config, self.mor).forward(ids, selection, max_depth)
        return logits.numpy(), depth.numpy()

    def rows(self, lengths: tuple[int, ...] = (1, 2, 17, 40), seed: int = 7) -> list[list[int]]:
        """Return rows of random ids, the same each time."""
        stream = np.random.default_rng(seed)
        return [stream.integers(0, VOCAB, length).tolist() for length in lengths]


def all() -> Iterator[Case]:
    """Every case, each made when it is asked for."""
    yield from language_models()
    yield from raters()


def language_models() -> Iterator[Case]:
    """Expert choice, token choice, Recursive and vanilla models."""
    for settings in covering(EXPERT):
        yield _routed("expert", settings)
    for settings in covering(TOKEN):
        yield _routed("token", settings)
    for settings in covering(RECURSIVE):
        yield _recursive(settings)
    for settings in covering(VANILLA):
        yield _vanilla(settings)
    for name in _OTHER_ACTIVATIONS:
        yield _vanilla({key: values[0] for key, values in VANILLA.items()} | {"hidden_act": name})


def raters() -> Iterator[Case]:
    """Raters in our own layout and in those of ``nn.TransformerEncoder``."""
    for settings in covering(RATER, strength=2):
        yield _rater(settings)
    for name in _OTHER_ACTIVATIONS:
        acts = {"mlp": "plain", "head": "mlp", "hidden_act": name, "head_act": name}
        yield _rater({key: values[0] for key, values in RATER.items()} | acts)
    for settings in covering(ENCODER, strength=2):
        yield _encoder(settings)


#: Which are not combined with everything else.
_OTHER_ACTIVATIONS = [name for name in ACTIVATIONS if name not in ("silu", "gelu", "gelu_tanh", "relu")]

EXPERT: dict[str, tuple[Any, ...]] = {
    "sharing": ("middle_cycle", "cycle"),
    "router_type": ("linear", "mlp"),
    "router_func": ("sigmoid", "tanh", None),
    "gating": ("weighted", "additive"),
    "aux": (False, True),
    "kv": ("recursion", "shared", "hybrid"),
    "capacity": ([1.0, 2 / 3, 1 / 3], [0.7, 0.5, 0.5], [1.0, 1.0, 0.5]),
    "temp": (1.0, 0.6),
    "untied": ("", "norm", "attn"),
}
TOKEN: dict[str, tuple[Any, ...]] = {
    "sharing": ("middle_cycle", "cycle"),
    "router_type": ("linear", "mlp"),
    "router_func": ("softmax", "sigmoid"),
    "gating": ("weighted", "additive"),
    "bias": (False, True),
    "kv": ("recursion", "shared", "hybrid"),
    "temp": (1.0, 1.7),
    "untied": ("", "attn"),
}
RECURSIVE: dict[str, tuple[Any, ...]] = {
    "sharing": ("cycle", "sequence", "middle_cycle", "middle_sequence"),
    "recursions": (2, 3),
    "untied": ("", "norm", "attn"),
    "told": (True, False),
}
VANILLA: dict[str, tuple[Any, ...]] = {
    "tied": ("copy", "absent", "untied"),
    "attention_bias": (False, True),
    "mlp_bias": (False, True),
    "hidden_act": ("silu", "gelu", "gelu_pytorch_tanh", "relu"),
    "rope": ("theta", "parameters"),
}
RATER: dict[str, tuple[Any, ...]] = {
    "norm": ("rmsnorm", "layernorm", "layernorm+bias"),
    "norm_position": ("pre", "post"),
    "positions": ("rope", "learned", "none"),
    "mlp": ("swiglu", "plain"),
    "hidden_act": ("silu", "gelu", "gelu_tanh", "relu"),
    "bias": (False, True),
    "pooling": ("mean", "cls", "last"),
    "head": ("linear", "mlp"),
    "head_act": ("silu", "gelu", "gelu_tanh", "relu", "tanh"),
    "final_norm": ("none", "tokens", "pooled"),
    "embed_norm": (False, True),
    "squash": ("none", "sigmoid", "clamp"),
}
ENCODER: dict[str, tuple[Any, ...]] = {
    "layout": ("A", "B", "generic"),
    "norm": ("own", "encoder", "none"),
    "final_norm": ("tokens", "pooled"),
    "head": ("linear", "mlp"),
    "pooling": ("mean", "last"),
    "batched": (False, True),
}


def _config(layers: int, **changes: Any) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "vocab_size": VOCAB,
        "hidden_size": WIDTH,
        "num_attention_heads": HEADS,
        "num_key_value_heads": GROUPS,
        "head_dim": HEAD_DIM,
        "intermediate_size": INNER,
        "max_position_embeddings": POSITIONS,
        "num_hidden_layers": layers,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "rope_scaling": None,
        "tie_word_embeddings": True,
    } | changes


def _ends(weights: Weights) -> dict[str, Tensor]:
    """Return the embedding, its tied copy as the head, and the last norm."""
    table = weights.normal(VOCAB, WIDTH)
    return {"model.embed_tokens.weight": table, "lm_head.weight": table.clone()} | weights.norm("model.norm")


def _name(kind: str, settings: dict[str, Any]) -> str:
    def text(value: Any) -> str:
        return "+".join(f"{item:.2g}" for item in value) if isinstance(value, list) else str(value)

    return f"{kind}-" + "-".join(f"{key}={text(value)}" for key, value in settings.items())


def _routed(kind: str, settings: dict[str, Any]) -> Case:
    name = _name(kind, settings)
    weights = Weights(name)
    middle, router = settings["sharing"] == "middle_cycle", settings["router_type"]
    start = int(middle)
    state = _ends(weights)
    if middle:
        state |= under("model.layers.0", weights.layer())
        state |= under(f"model.layers.{RECURSIONS + 1 if kind == 'expert' else 2}", weights.layer())
    shared = [weights.layer() for _ in range(DEPTH)]
    for r in range(RECURSIONS):
        home = f"model.layers.{start + r}.block" if kind == "expert" else f"model.layers.{start}.block_list.{r}"
        for j, layer in enumerate(shared):
            state |= under(f"{home}.{j}", weights.copy(layer, settings["untied"] if r else ""))
        if kind == "expert":
            state |= weights.router(f"model.layers.{start + r}.mor_router", 1, router)
            if settings["aux"]:
                state |= weights.router(f"model.layers.{start + r}.mlp_router", 1, router)
    mor = {
        "type": kind,
        "num_recursion": RECURSIONS,
        "sharing": settings["sharing"],
        "base_depth": DEPTH,
        "capacity": settings.get("capacity", [1.0, 2 / 3, 1 / 3]),
        "kv_sharing": settings["kv"] != "recursion",
        "update_cache": settings["kv"] == "hybrid",
        "alpha": 0.7,
        "router_func": settings["router_func"],
        "router_type": router,
        "temp": settings["temp"],
        "gating": settings["gating"],
        "sampling": ("aux_router" if settings.get("aux") else "aux_loss") if kind == "expert" else None,
        "balancing": ("loss_free" if settings.get("bias") else "loss") if kind == "token" else None,
    }
    if kind == "token":
        state |= weights.router(f"model.layers.{start}.mor_router", RECURSIONS, router)
        if settings["bias"]:
            state[f"model.layers.{start}.router_bias"] = weights.normal(RECURSIONS, scale=0.2)
    expected = {
        "rally.kind": "lm",
        "rally.routing": kind,
        "rally.sharing": settings["sharing"],
        "rally.kv_cache": settings["kv"],
        "rally.router_func": settings["router_func"] or "none",
        "rally.router_type": router,
    }
    return Case(name, _config(2 * start + RECURSIONS * DEPTH), mor, state, expected)


def _recursive(settings: dict[str, Any]) -> Case:
    name = _name("recursive", settings)
    weights = Weights(name)
    sharing, recursions = settings["sharing"], settings["recursions"]
    start = int(sharing.startswith("middle_"))
    count = DEPTH * recursions + 2 * start
    physical: dict[int, dict[str, Tensor]] = {}
    state = _ends(weights)
    for index in range(count):
        inner = index - start
        if start and index in (0, count - 1):
            which = -1 - index
        else:
            which = inner // recursions if sharing.endswith("sequence") else inner % DEPTH
        if which not in physical:
            physical[which] = weights.layer()
            state |= under(f"model.layers.{index}", physical[which])
        else:
            state |= under(f"model.layers.{index}", weights.copy(physical[which], settings["untied"]))
    mor = {"type": None, "num_recursion": recursions, "sharing": sharing}
    expected = {
        "rally.kind": "lm",
        "rally.routing": "none",
        "rally.num_recursion": str(recursions),
        "rally.sharing": sharing,
    }
    case = Case(name, _config(count), mor, state, expected)
    if settings["told"]:
        return case
    return _Untold(name, case.config, None, state, expected, told=mor)


@dataclass(frozen=True)
class _Untold(Case):
    """A Recursive checkpoint without a file that says so; only the reference is told."""

    told: dict[str, Any] = field(default_factory=dict)

    def reference(self, ids: list[int], selection: str = "threshold", max_depth: int | None = None) -> Any:
        logits, depth = reference.LanguageModel(self.state, self.config, self.told).forward(ids, selection, max_depth)
        return logits.numpy(), depth.numpy()


def _vanilla(settings: dict[str, Any]) -> Case:
    name = _name("vanilla", settings)
    weights = Weights(name)
    state = _ends(weights)
    if settings["tied"] == "absent":
        del state["lm_head.weight"]
    elif settings["tied"] == "untied":
        state["lm_head.weight"] = weights.matrix(VOCAB, WIDTH)
    biases = {key: settings[key] for key in ("attention_bias", "mlp_bias")}
    for index in range(3):
        state |= under(f"model.layers.{index}", weights.layer(**biases))
    tied = settings["tied"] != "untied"
    config = _config(3, hidden_act=settings["hidden_act"], tie_word_embeddings=tied, **biases)
    if settings["rope"] == "parameters":
        del config["rope_theta"], config["rope_scaling"]
        config["rope_parameters"] = {"rope_theta": 5000.0, "rope_type": "default"}
    expected = {"rally.kind": "lm", "rally.sharing": "none", "rally.tie_word_embeddings": str(tied).lower()}
    return Case(name, config, None, state, expected)


def _rater(settings: dict[str, Any]) -> Case:
    name = _name("rater", settings)
    weights = Weights(name)
    norm, _, norm_bias = settings["norm"].partition("+")
    biased = bool(norm_bias)
    config = _config(2, model_type="rally-rater", norm_eps=1e-5, packing="document", head_act=settings["head_act"])
    config |= {key: value for key, value in settings.items() if key != "norm"} | {"norm": norm}
    config |= {"squash_temperature": 1.5, "squash_min": 0.05, "squash_max": 1.0, "discard_fraction": 0.25}
    state = {"embed_tokens.weight": weights.normal(VOCAB, WIDTH)}
    if settings["positions"] == "learned":
        state["embed_positions.weight"] = weights.normal(POSITIONS, WIDTH)
    if settings["embed_norm"]:
        state |= weights.norm("embed_norm", biased)
    for index in range(2):
        layer = weights.layer(settings["bias"], settings["bias"], settings["mlp"] == "swiglu", biased)
        state |= under(f"layers.{index}", layer)
    if settings["final_norm"] != "none":
        state |= weights.norm("norm", biased)
    if settings["head"] == "linear":
        state |= weights.linear("head", 1, WIDTH, bias=True)
    else:
        state |= weights.linear("head.0", 20, WIDTH, bias=True) | weights.linear("head.1", 1, 20, bias=True)
    names = ("norm_position", "positions", "pooling", "head", "final_norm", "squash", "embed_norm")
    expected = {f"rally.{key}": str(settings[key]).replace("True", "true").replace("False", "false") for key in names}
    return Case(name, config, None, state, expected | {"rally.kind": "rater", "rally.norm": norm})


def _encoder(settings: dict[str, Any]) -> Case:
    name = _name("encoder", settings)
    layout = settings["layout"]
    act, first = {"A": ("gelu", False), "B": ("relu", True), "generic": ("gelu", True)}[layout]
    kind = {key: settings[key] for key in ("norm", "final_norm", "head", "pooling")}
    torch.manual_seed(zlib.crc32(name.encode()))
    model = reference.EncoderRater(
        VOCAB, WIDTH, HEADS, INNER, 2, POSITIONS, act=act, norm_first=first, head_act=act, **kind
    )
    for parameter in model.parameters():
        if parameter.dim() == 1:  # PyTorch starts norms at 1 and many biases at 0, where a mix-up would not show
            torch.nn.init.normal_(parameter, float(parameter.detach().mean().round()), 0.3)
    state = {key: value.detach().clone() for key, value in model.float().state_dict().items()}
    names = {
        "A": ("embedding.", "position_embedding", "encoder."),
        "B": ("tok.", "pos.weight", "enc."),
        "generic": ("tok_emb.", "pos_emb.weight", "body."),
    }
    embedding, position, encoder = names[layout]
    table = state.pop("position_embedding.weight")
    renamed = {
        key.replace("embedding.", embedding, 1) if key.startswith("embedding.") else key: value
        for key, value in state.items()
    }
    renamed = {
        key.replace("encoder.", encoder, 1) if key.startswith("encoder.") else key: value
        for key, value in renamed.items()
    }
    renamed[position] = table[None] if settings["batched"] else table
    config: dict[str, Any] = {"nhead": HEADS, "final_norm": settings["final_norm"], "pooling": settings["pooling"]}
    if layout == "generic":
        config |= {"norm_first": first, "activation": act}
    squash = "clamp" if layout == "A" else "none"
    expected = {"rally.kind": "rater", "rally.squash": squash, "rally.norm_position": "pre" if first else "post"}
    return Case(name, config, None, renamed, expected, encoder=model)
