"""Plans the conversion of raters: this project's own layout here, that of ``nn.TransformerEncoder`` in ``encoder``."""

from __future__ import annotations

from typing import Any

import numpy as np

from rally.convert.checkpoint import Checkpoint
from rally.convert.encoder import ENCODER_KEY, convert_encoder
from rally.convert.llama import activation, head_sizes, rope_theta
from rally.convert.plan import Entry, check_keys, collect
from rally.convert.raters.outputs import last_rows, output_fields
from rally.convert.scoring import cdf, head_entries, norm_entries, score_fields
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, Rater, Tensor
from rally.modelfile.shapes import layer_dims
from rally.modelfile.tensors import float_tensor

MODEL_TYPE = "rally-rater"
_GATED = ("gated", "swiglu", "geglu", "reglu")
_PLAIN = ("plain", "mlp")


def is_rater(checkpoint: Checkpoint, config: Settings) -> bool:
    """Tell whether a checkpoint holds a rater of a layout that is known."""
    return config.values.get("model_type") == MODEL_TYPE or any(
        ENCODER_KEY.fullmatch(key) for key in checkpoint.sources
    )


def convert_rater(
    checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None, dtype: str | None
) -> tuple[Rater, list[Tensor]]:
    """Return the description and the weights of a rater's checkpoint.

    Raises
    ------
    ModelFileError
        When a key is missing, unknown or of the wrong shape, or the configuration asks for what the format cannot say.
    """
    if config.values.get("model_type") == MODEL_TYPE:
        model, entries = _plan(checkpoint, config, name, tokenizer)
    else:
        model, entries = convert_encoder(checkpoint, config, name, tokenizer)
    known = ("score.cdf",) if "score.cdf" in checkpoint.sources else ()
    check_keys(checkpoint, entries, known)
    tensors = collect(checkpoint, entries, dtype)
    missing = {"head.bias", "head.0.bias", "head.1.bias"} & set(_head_biases(model)) - {
        tensor.name for tensor in tensors
    }
    width = {"head.0.bias": next((t.dims[0] for t in tensors if t.name == "head.0.weight"), 1)}
    width |= {"head.bias": model.num_labels, "head.1.bias": model.num_labels}
    tensors += [float_tensor(bias, np.zeros(width.get(bias, 1))) for bias in sorted(missing)]
    return model, tensors + cdf(checkpoint, config)


def _plan(
    checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None
) -> tuple[Rater, list[Entry]]:
    keys = checkpoint.sources
    norm = config.choice("norm", ("rmsnorm", "layernorm"), "rmsnorm")
    mlp = config.choice("mlp", _GATED + _PLAIN, "gated")
    bias = config.boolean("bias", False)
    positions = config.choice("positions", ("rope", "learned", "none"), "rope")
    default_act = {"geglu": "gelu", "reglu": "relu"}.get(mlp, "silu")
    eps_keys = [key for key in ("norm_eps", "rms_norm_eps", "layer_norm_eps") if key in config]
    sizes: dict[str, Any] = head_sizes(config)
    if positions == "rope" and sizes["head_dim"] % 2:
        raise config.wrong("head_dim", sizes["head_dim"])
    model = Rater(
        name=name,
        tokenizer=tokenizer,
        **sizes,
        vocab_size=config.integer("vocab_size"),
        intermediate_size=config.integer("intermediate_size"),
        max_position_embeddings=config.integer("max_position_embeddings"),
        num_block_layers=config.layer_count(),
        norm=norm,
        norm_eps=config.positive(eps_keys[0] if eps_keys else "rms_norm_eps"),
        norm_position=config.choice("norm_position", ("pre", "post"), "pre"),
        norm_bias=norm == "layernorm" and "layers.0.input_layernorm.bias" in keys,
        hidden_act=activation(config, "hidden_act", default_act),
        mlp="gated" if mlp in _GATED else "plain",
        attention_bias=config.boolean("attention_bias", bias),
        mlp_bias=config.boolean("mlp_bias", bias),
        positions=positions,
        rope_theta=rope_theta(config) if positions == "rope" else 0.0,
        embed_norm=config.boolean("embed_norm", "embed_norm.weight" in keys),
        final_norm=config.choice(
            "final_norm", ("none", "tokens", "pooled"), "tokens" if "norm.weight" in keys else "none"
        ),
        head=config.choice("head", ("linear", "mlp"), "mlp" if "head.0.weight" in keys else "linear"),
        **score_fields(config),
        **output_fields(config, last_rows(checkpoint, ("head", "head.1"))),
    )
    entries = [Entry("embed_tokens.weight", (model.vocab_size, model.hidden_size), ("embed_tokens.weight",))]
    if positions == "learned":
        table = (model.max_position_embeddings, model.hidden_size)
        entries.append(Entry("embed_positions.weight", table, ("embed_positions.weight",)))
    if model.embed_norm:
        entries += norm_entries(model, "embed_norm", "embed_norm")
    for index in range(model.num_block_layers):
        entries += [
            Entry(f"block.{index}.{kind}", dims, (f"layers.{index}.{kind}",))
            for kind, dims in layer_dims(model).items()
        ]
    if model.final_norm != "none":
        entries += norm_entries(model, "norm", "norm")
    return model, entries + head_entries(checkpoint, model, ("head.0", "head.1"))


def _head_biases(model: Rater) -> tuple[str, ...]:
    return ("head.bias",) if model.head == "linear" else ("head.0.bias", "head.1.bias")
