"""Plans the conversion of raters built on ``torch.nn.TransformerEncoder``."""

from __future__ import annotations

import re
from typing import Any

from rally.convert.checkpoint import Checkpoint
from rally.convert.llama import activation
from rally.convert.plan import Entry
from rally.convert.raters.outputs import last_rows, output_fields
from rally.convert.scoring import head_entries, norm_entries, score_fields
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, ModelFileError, Rater

ENCODER_KEY = re.compile(r"(.+)\.layers\.(\d+)\.self_attn\.in_proj_weight")

#: Keys under which public raters keep their tables.
EMBEDDINGS = ("embedding.weight", "tok.weight", "embed.weight", "token_embedding.weight", "tok_emb.weight")
POSITIONS = (
    "position_embedding",
    "position_embedding.weight",
    "pos.weight",
    "pos_embedding",
    "pos_embedding.weight",
    "pos_emb.weight",
)

#: Layers' tensors: canonical name → name in ``nn.TransformerEncoderLayer``.
_LAYER = {
    "self_attn.o_proj.weight": "self_attn.out_proj.weight",
    "self_attn.o_proj.bias": "self_attn.out_proj.bias",
    "input_layernorm.weight": "norm1.weight",
    "input_layernorm.bias": "norm1.bias",
    "post_attention_layernorm.weight": "norm2.weight",
    "post_attention_layernorm.bias": "norm2.bias",
    "mlp.up_proj.weight": "linear1.weight",
    "mlp.up_proj.bias": "linear1.bias",
    "mlp.down_proj.weight": "linear2.weight",
    "mlp.down_proj.bias": "linear2.bias",
}

#: What the layouts of public raters are made with, where the configuration does not say.
_LAYOUTS: dict[str, dict[str, Any]] = {
    "embedding.weight": {"norm_position": "post", "act": "gelu", "squash": "clamp", "squash_min": 0.05},
    "tok.weight": {"norm_position": "pre", "act": "relu"},
}


def convert_encoder(
    checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None
) -> tuple[Rater, list[Entry]]:
    """Return the description and the plan of a rater on ``nn.TransformerEncoder``.

    The number of heads cannot be seen in the weights: ``num_attention_heads``, ``n_heads`` or ``nhead`` must be in the
    configuration. All else has the defaults of the layout (by the name of the embedding), or else those of PyTorch.
    """
    keys = checkpoint.sources
    prefixes = {match[1] for key in keys if (match := ENCODER_KEY.fullmatch(key))}
    embedding = next((key for key in EMBEDDINGS if key in keys), None)
    if len(prefixes) != 1 or embedding is None or len(keys[embedding].dims) != 2:
        raise ModelFileError(
            f"no rater's layout: encoders {sorted(prefixes)}; embeddings known: {', '.join(EMBEDDINGS)}"
        )
    prefix = prefixes.pop()
    layout = _LAYOUTS.get(embedding, {"norm_position": "post", "act": "relu"})
    vocabulary, width = keys[embedding].dims
    biased = f"{prefix}.layers.0.self_attn.in_proj_bias" in keys
    linear = keys.get(f"{prefix}.layers.0.linear1.weight")
    positions, position_entries = _positions(checkpoint, width)
    heads = _heads(config, width)
    final = next((norm for norm in ("norm", f"{prefix}.norm") if f"{norm}.weight" in keys), None)
    head_layers = sorted({key.split(".")[1] for key in keys if re.fullmatch(r"head\.\d+\.weight", key)}, key=int)
    act = activation(config, "hidden_act", config.values.get("activation") or layout["act"])
    model = Rater(
        name=name,
        tokenizer=tokenizer,
        vocab_size=vocabulary,
        hidden_size=width,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=width // heads,
        intermediate_size=linear.dims[0] if linear else 1,
        max_position_embeddings=_length(config, position_entries),
        num_block_layers=1 + max(int(match[2]) for key in keys if (match := ENCODER_KEY.fullmatch(key))),
        norm="layernorm",
        norm_eps=config.positive("layer_norm_eps", 1e-5),
        norm_position=_norm_position(config, layout),
        norm_bias=f"{prefix}.layers.0.norm1.bias" in keys,
        hidden_act=act,
        mlp="plain",
        attention_bias=biased,
        mlp_bias=f"{prefix}.layers.0.linear1.bias" in keys,
        positions=positions,
        final_norm=config.choice("final_norm", ("tokens", "pooled"), "tokens") if final else "none",
        head="mlp" if head_layers else "linear",
        **score_fields(config, head_act=act, **layout),
        **output_fields(config, last_rows(checkpoint, (f"head.{head_layers[-1]}" if head_layers else "head",))),
    )
    entries = [Entry("embed_tokens.weight", (vocabulary, width), (embedding,)), *position_entries]
    for index in range(model.num_block_layers):
        entries += _layer_entries(model, index, f"{prefix}.layers.{index}")
    if final:
        entries += norm_entries(model, "norm", final)
    inner = ("head.0", f"head.{head_layers[-1]}") if head_layers else ("", "")
    return model, entries + head_entries(checkpoint, model, inner)


def _heads(config: Settings, width: int) -> int:
    key = next((key for key in ("num_attention_heads", "n_heads", "nhead") if key in config), "num_attention_heads")
    heads = config.integer(key)
    if width % heads:
        raise ModelFileError(f"{config.source}: {key} {heads} does not divide the width {width}")
    return heads


def _norm_position(config: Settings, layout: dict[str, Any]) -> str:
    default = layout["norm_position"]
    if "norm_first" in config:
        default = "pre" if config.boolean("norm_first") else "post"
    return config.choice("norm_position", ("pre", "post"), default)


def _length(config: Settings, positions: list[Entry]) -> int:
    """Return the longest row: that of the table of positions, or what the configuration says."""
    if not positions:
        return config.integer("max_position_embeddings")
    return positions[0].dims[0]


def _positions(checkpoint: Checkpoint, width: int) -> tuple[str, list[Entry]]:
    """Find a table of learned positions, [P, D] or [1, P, D]."""
    key = next((key for key in POSITIONS if key in checkpoint.sources), None)
    if key is None:
        return "none", []
    dims = checkpoint.sources[key].dims
    if dims[-1:] != (width,) or not (len(dims) == 2 or (len(dims) == 3 and dims[0] == 1)):
        raise ModelFileError(f"key of the wrong shape: {key}: expected [positions, {width}], found {list(dims)}")
    return "learned", [Entry("embed_positions.weight", dims[-2:], (key,), source_dims=dims)]


def _layer_entries(model: Rater, index: int, prefix: str) -> list[Entry]:
    width, inner = model.hidden_size, model.intermediate_size
    entries = []
    for place, letter in enumerate("qkv"):
        rows, name = (place * width, (place + 1) * width), f"block.{index}.self_attn.{letter}_proj"
        key, stacked = f"{prefix}.self_attn.in_proj_weight", (3 * width, width)
        entries.append(Entry(f"{name}.weight", (width, width), (key,), source_dims=stacked, rows=rows))
        if model.attention_bias:
            key = f"{prefix}.self_attn.in_proj_bias"
            entries.append(Entry(f"{name}.bias", (width,), (key,), source_dims=stacked[:1], rows=rows))
    shapes = {
        "mlp.up_proj.weight": (inner, width),
        "mlp.down_proj.weight": (width, inner),
        "mlp.up_proj.bias": (inner,),
    }
    shapes["self_attn.o_proj.weight"] = (width, width)
    absent = {
        "self_attn.o_proj.bias": not model.attention_bias,
        "mlp.up_proj.bias": not model.mlp_bias,
        "mlp.down_proj.bias": not model.mlp_bias,
        "input_layernorm.bias": not model.norm_bias,
        "post_attention_layernorm.bias": not model.norm_bias,
    }
    for kind, source in _LAYER.items():
        if not absent.get(kind):
            entries.append(Entry(f"block.{index}.{kind}", shapes.get(kind, (width,)), (f"{prefix}.{source}",)))
    return entries
