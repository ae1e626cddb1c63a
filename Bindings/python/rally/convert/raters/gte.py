"""Plans the conversion of GTE, the architecture that Alibaba calls "new", and of Snowflake's copies of it."""

from __future__ import annotations

from typing import Any

from rally.convert.checkpoint import Checkpoint
from rally.convert.llama import activation
from rally.convert.plan import Entry
from rally.convert.raters.outputs import output_count, output_fields
from rally.convert.raters.planning import Plan, linear, norm, packed, prefix_of, refuse_unless, sizes
from rally.convert.scoring import score_fields
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, ModelFileError, Rater, RopeTable
from rally.modelfile.tensors import Array

_TABLE = "embeddings.word_embeddings.weight"
_TYPES = "embeddings.token_type_embeddings.weight"

_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "layer_norm_type": ("layer_norm",),
    "position_embedding_type": ("rope",),
    "logn_attention_scale": (False,),
    "quantization_config": (),
}


def plan(checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None) -> Plan:
    """Return the plan of a post-norm encoder with rotary positions and a gated feed-forward."""
    refuse_unless(config, _NEUTRAL)
    prefix = prefix_of(checkpoint, _TABLE)
    count = output_count(checkpoint, "classifier")
    body = sizes(config)
    width, types = config.integer("hidden_size"), config.integer("type_vocab_size", 0, minimum=0)
    if body["head_dim"] % 2:
        raise ModelFileError(
            f"{config.source}: a head width of {body['head_dim']} cannot be turned: expected an even one"
        )
    scoring = score_fields(config) | output_fields(config, count)
    scoring |= {"pooling": "cls", "head": "mlp", "head_act": "tanh"}
    model = Rater(
        name=name,
        tokenizer=tokenizer,
        **body,
        max_position_embeddings=config.integer("max_position_embeddings"),
        norm="layernorm",
        norm_eps=config.positive("layer_norm_eps", 1e-12),
        norm_position="post",
        norm_bias=True,
        hidden_act=activation(config, "hidden_act", "gelu"),
        mlp="gated",
        attention_bias=True,
        mlp_bias=("down",),
        embed_norm=True,
        final_norm="none",
        **_rope(config, body["head_dim"]),
        **scoring,
    )
    entries = [
        Entry("embed_tokens.weight", (model.vocab_size, width), (prefix + _TABLE,)),
        *norm(checkpoint, "embed_norm", f"{prefix}embeddings.LayerNorm", width),
        *_layer_entries(checkpoint, model, f"{prefix}encoder.layer", config.boolean("pack_qkv", True)),
        *linear("head.0", _pooler(checkpoint, prefix), (width, width)),
        *linear("head.1", "classifier", (count, width)),
    ]
    sources = [Entry("types", (types, width), (prefix + _TYPES,))] if types else []
    computed = {"embed_tokens.weight": _typed(prefix)} if types else {}
    return Plan(model, entries, computed, sources, _unused(checkpoint))


def _pooler(checkpoint: Checkpoint, prefix: str) -> str:
    return "pooler.dense" if "pooler.dense.weight" in checkpoint.sources else f"{prefix}pooler.dense"


def _typed(prefix: str) -> Any:
    """Return what makes the table of tokens with the embedding of token type 0 added to each, in f32."""

    def make(checkpoint: Checkpoint) -> Array:
        typed: Array = (checkpoint.load(prefix + _TABLE).float() + checkpoint.load(prefix + _TYPES)[0].float()).numpy()
        return typed

    return make


def _unused(checkpoint: Checkpoint) -> tuple[str, ...]:
    """Return buffers that are computed again from the configuration."""
    names = ("inv_freq", "cos_cached", "sin_cached")
    ends = (*tuple(f"rotary_emb.{name}" for name in names), "embeddings.position_ids")
    return tuple(key for key in checkpoint.sources if key.endswith(ends))


def _rope(config: Settings, head_dim: int) -> dict[str, Any]:
    """Return plain angles, or those that "ntk" scales by one factor for every length."""
    theta = config.positive("rope_theta", 10000.0)
    scaling = config.section("rope_scaling") if "rope_scaling" in config else None
    if scaling is None or not scaling.values:
        return {"rope_theta": theta}
    kind, factor = scaling.values.get("type") or scaling.values.get("rope_type"), scaling.number("factor", 1.0)
    if kind != "ntk" or factor < 1.0 or scaling.values.get("mixed_b") is not None:
        raise ModelFileError(
            f"{config.source}: rope_scaling {scaling.values!r} is not supported; known: type ntk, without mixed_b"
        )
    if factor == 1.0:
        return {"rope_theta": theta}
    pairs = range(head_dim // 2)
    frequencies = tuple((theta * factor) ** (-2.0 * i / head_dim) / factor ** (2.0 / head_dim) for i in pairs)
    return {"rope_tables": (RopeTable(frequencies),), "rope_scaling": f"ntk factor {factor:g}"}


def _layer_entries(checkpoint: Checkpoint, model: Rater, prefix: str, is_packed: bool) -> list[Entry]:
    width, inner = model.hidden_size, model.intermediate_size
    entries = []
    for index in range(model.num_block_layers):
        here, layer = f"block.{index}", f"{prefix}.{index}"
        names = [f"{here}.self_attn.{letter}_proj" for letter in "qkv"]
        if is_packed:
            entries += packed(names, f"{layer}.attention.qkv_proj", (width, width))
        else:
            for letter, name in zip("qkv", names, strict=True):
                entries += linear(name, f"{layer}.attention.{letter}_proj", (width, width))
        entries += linear(f"{here}.self_attn.o_proj", f"{layer}.attention.o_proj", (width, width))
        entries += norm(checkpoint, f"{here}.input_layernorm", f"{layer}.attn_ln", width)
        halves = (f"{here}.mlp.up_proj", f"{here}.mlp.gate_proj")
        entries += packed(halves, f"{layer}.mlp.up_gate_proj", (inner, width), biased=False)
        entries += linear(f"{here}.mlp.down_proj", f"{layer}.mlp.down_proj", (width, inner))
        entries += norm(checkpoint, f"{here}.post_attention_layernorm", f"{layer}.mlp_ln", width)
    return entries
