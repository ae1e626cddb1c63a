"""Reads a Llama ``config.json``: what is supported becomes fields of the description, the rest is refused by name."""

from __future__ import annotations

from typing import Any

from rally.convert.settings import Settings
from rally.modelfile import ModelFileError

#: Other names of the activations that the format knows.
ACTIVATIONS = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_tanh": "gelu_tanh",
    "relu": "relu",
}

#: Architectures whose plain form is this one. Others have its keys but compute something else (gemma).
MODEL_TYPES = ("llama", "mistral")

#: Fields that change the mathematics, and the values under which they do not.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "sliding_window": (),
    "use_sliding_window": (False,),
    "partial_rotary_factor": (1, 1.0),
    "num_experts": (0, 1),
    "num_local_experts": (0, 1),
    "use_qk_norm": (False,),
    "qk_norm": (False,),
    "qk_layernorm": (False,),
    "no_rope_layers": ([],),
    "attn_logit_softcapping": (),
    "final_logit_softcapping": (),
    "query_pre_attn_scalar": (),
    "embedding_multiplier": (1, 1.0),
    "residual_multiplier": (1, 1.0),
    "logits_scaling": (1, 1.0),
    "logit_scale": (1, 1.0),
    "scale_emb": (1, 1.0),
    "scale_depth": (1, 1.0),
    "rope_interleaved": (False,),
    "is_llama_config": (True,),
    "quantization_config": (),
}


def activation(config: Settings, key: str = "hidden_act", default: Any = None) -> str:
    """Return an activation in the format's vocabulary."""
    given = config.get(key, default) if default is not None else config.get(key)
    if given not in ACTIVATIONS:
        raise ModelFileError(f"{config.source}: {key} {given!r} is not supported; known: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[given]


def rope_theta(config: Settings, default: float | None = None) -> float:
    """Return the base of the rotary angles; every other kind of rotary scaling is refused."""
    section = "rope_parameters" if "rope_parameters" in config else "rope_scaling"
    parameters = config.section(section) if section in config else None
    if parameters:
        kinds = [parameters.values[key] for key in ("rope_type", "type") if parameters.values.get(key)]
        if kinds != ["default"] * len(kinds) or not (kinds or section == "rope_parameters"):
            raise ModelFileError(
                f"{config.source}: {section} of type {kinds[0] if kinds else 'unknown'!r} is not supported"
            )
        extra = parameters.values.keys() - {"rope_type", "type", "rope_theta"}
        if parameters.values.get("partial_rotary_factor") == 1.0:
            extra -= {"partial_rotary_factor"}
        if extra:
            raise ModelFileError(f"{config.source}: {section}: {sorted(extra)[0]} is not supported")
    holder = parameters if parameters and "rope_theta" in parameters else config
    theta = holder.number("rope_theta") if default is None else holder.number("rope_theta", default)
    if theta <= 0:
        raise config.wrong("rope_theta", theta)
    return theta


def head_sizes(config: Settings) -> dict[str, int]:
    """Return the sizes of the attention; the head width defaults to D / H."""
    hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    groups = config.integer("num_key_value_heads", heads)
    if heads % groups:
        raise ModelFileError(
            f"{config.source}: num_key_value_heads {groups} does not divide num_attention_heads {heads}"
        )
    if "head_dim" not in config and hidden % heads:
        raise ModelFileError(f"{config.source}: num_attention_heads {heads} does not divide hidden_size {hidden}")
    sizes = {"hidden_size": hidden, "num_attention_heads": heads, "num_key_value_heads": groups}
    return sizes | {"head_dim": config.integer("head_dim", hidden // heads)}


def refuse_unsupported(config: Settings) -> None:
    """Raise an error that names a field which changes the mathematics in a way the format cannot say."""
    kind = config.values.get("model_type")
    if kind is not None and kind not in MODEL_TYPES:
        raise ModelFileError(f"{config.source}: model_type {kind!r} is not supported; known: {', '.join(MODEL_TYPES)}")
    for key, neutral in NEUTRAL.items():
        value = config.values.get(key)
        if value is not None and value not in neutral:
            raise ModelFileError(f"{config.source}: {key} {value!r} is not supported")
    layers = config.values.get("layer_types") or []
    other = [name for name in layers if name != "full_attention"]
    if other:
        raise ModelFileError(f"{config.source}: layer_types {other[0]!r} is not supported")


def base_fields(config: Settings) -> dict[str, Any]:
    """Return the fields of the description that a Llama configuration determines."""
    refuse_unsupported(config)
    sizes = head_sizes(config)
    if sizes["head_dim"] % 2:
        raise config.wrong("head_dim", sizes["head_dim"])
    return {
        **sizes,
        "vocab_size": config.integer("vocab_size"),
        "intermediate_size": config.integer("intermediate_size"),
        "max_position_embeddings": config.integer("max_position_embeddings"),
        "norm_eps": config.number("rms_norm_eps"),
        "hidden_act": activation(config),
        "attention_bias": config.boolean("attention_bias", False),
        "mlp_bias": config.boolean("mlp_bias", False),
        "rope_theta": rope_theta(config),
    }
