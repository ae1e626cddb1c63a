"""Reads the configuration of the Llama family: what is supported becomes fields of the description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rally.convert.attention_kinds import read_windows, rotating_layers
from rally.convert.fields import refuse_unknown
from rally.convert.rope import Rope, read_rope
from rally.convert.settings import Settings
from rally.modelfile import ModelFileError
from rally.modelfile.activations import ACTIVATION_NAMES


@dataclass(frozen=True)
class Family:
    """What an architecture of the family has besides a Llama's layers.

    Attributes
    ----------
    read : tuple of str
        Fields of the configuration besides those of all.
    attention_bias : tuple of str
        Projections with a bias, whatever the configuration says.
    neutral : mapping of str to tuple
        Fields that say nothing at these values.
    """

    read: tuple[str, ...] = ()
    attention_bias: tuple[str, ...] = ()
    qk_norm: str = "none"
    norm_position: str = "pre"
    hidden_act: str = "silu"
    mlp: str = "gated"
    tied: bool = False
    key_value_heads: int | None = None
    neutral: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


_BIASES = ("attention_bias", "mlp_bias")
_WINDOW = ("sliding_window", "use_sliding_window", "max_window_layers")

#: ``model_type`` → what it has. Others have a Llama's keys but compute something else (gemma).
FAMILIES: dict[str, Family] = {
    "llama": Family(_BIASES, neutral={"sliding_window": (), "use_sliding_window": (False,)}),
    "mistral": Family((*_BIASES, *_WINDOW), key_value_heads=8),
    "qwen2": Family(_WINDOW, attention_bias=("q", "k", "v"), key_value_heads=32, neutral={"use_mrope": (False,)}),
    "qwen3": Family(("attention_bias", *_WINDOW), qk_norm="head", key_value_heads=32),
    "arcee": Family(_BIASES, hidden_act="relu2", mlp="plain"),
    "smollm3": Family((*_BIASES, *_WINDOW, "no_rope_layers", "no_rope_layer_interval"), tied=True, key_value_heads=4),
    "ouro": Family(
        (*_WINDOW, "total_ut_steps", "early_exit_threshold", "early_exit_step"),
        norm_position="sandwich",
        neutral={"use_weighted_exit": (False,), "attention_bias": (False,), "mlp_bias": (False,)},
    ),
    "nanbeige": Family((*_BIASES, "num_loops", "kv_channels", "skip_loop_final_norm", "loop_loss_weights")),
}

#: Architectures that are read elsewhere.
OTHER_TYPES = ("huginn_raven",)


def family(config: Settings) -> Family:
    """Return the architecture that a configuration names; without a name, Llama."""
    kind = config.values.get("model_type")
    if kind is None:
        return FAMILIES["llama"]
    if kind not in FAMILIES:
        known = ", ".join((*FAMILIES, *OTHER_TYPES))
        raise ModelFileError(f"{config.source}: model_type {kind!r} is not supported; known: {known}")
    return FAMILIES[kind]


def activation(config: Settings, key: str, default: str) -> str:
    """Return an activation in the format's vocabulary."""
    return ACTIVATION_NAMES[config.choice(key, tuple(ACTIVATION_NAMES), default)]


def rope_theta(config: Settings, default: float | None = None) -> float:
    """Return the base of the rotary angles; every kind of rotary scaling is refused."""
    if "rope_theta" not in config and default is not None:
        config = Settings({**config.values, "rope_theta": default}, config.source)
    rope = read_rope(config, 2)
    if rope.tables or rope.layers:
        raise ModelFileError(f"{config.source}: rope_scaling {rope.scaling!r} is not supported")
    return rope.theta


def head_sizes(config: Settings, key_value_heads: int | None = None) -> dict[str, int]:
    """Return the sizes of the attention; the head width defaults to D / H."""
    hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    missing = heads if "num_key_value_heads" in config.values or key_value_heads is None else key_value_heads
    groups = config.integer("num_key_value_heads", missing)
    if heads % groups:
        raise ModelFileError(
            f"{config.source}: num_key_value_heads {groups} does not divide num_attention_heads {heads}"
        )
    if "head_dim" not in config and hidden % heads:
        raise ModelFileError(f"{config.source}: num_attention_heads {heads} does not divide hidden_size {hidden}")
    sizes = {"hidden_size": hidden, "num_attention_heads": heads, "num_key_value_heads": groups}
    return sizes | {"head_dim": config.integer("head_dim", hidden // heads)}


def base_fields(config: Settings) -> dict[str, Any]:
    """Return the fields of the description that a configuration of the family determines."""
    kind = family(config)
    refuse_unknown(config, kind.read, kind.neutral)
    sizes = head_sizes(config, kind.key_value_heads)
    if sizes["head_dim"] % 2:
        raise config.wrong("head_dim", sizes["head_dim"])
    length = config.integer("max_position_embeddings")
    window, layer_types = read_windows(config, kind.read, length)
    return {
        **sizes,
        "vocab_size": config.integer("vocab_size"),
        "intermediate_size": config.integer("intermediate_size"),
        "max_position_embeddings": length,
        "norm_eps": config.positive("rms_norm_eps", 1e-6),
        "norm_position": kind.norm_position,
        "hidden_act": activation(config, "hidden_act", kind.hidden_act),
        "mlp": kind.mlp,
        "attention_bias": _attention_bias(config, kind),
        "mlp_bias": "mlp_bias" in kind.read and config.boolean("mlp_bias", False),
        "qk_norm": kind.qk_norm,
        "sliding_window": window,
        "layer_types": layer_types if window else (),
        **_rope(config, sizes["head_dim"], layer_types).fields(),
    }


def _attention_bias(config: Settings, kind: Family) -> bool | tuple[str, ...]:
    if kind.attention_bias:
        return kind.attention_bias
    return "attention_bias" in kind.read and config.boolean("attention_bias", False)


def _rope(config: Settings, head_dim: int, layer_types: tuple[str, ...]) -> Rope:
    rope = read_rope(config, head_dim, layer_types)
    rotating = rotating_layers(config) if config.values.get("model_type") == "smollm3" else ()
    if all(rotating):
        return rope
    places = rope.layers or (0,) * len(rotating)
    layers = tuple(place if rotates else None for place, rotates in zip(places, rotating, strict=True))
    return Rope(rope.theta, rope.tables, layers, rope.scaling)
