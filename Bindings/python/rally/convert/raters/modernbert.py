"""Plans the conversion of ``ModernBertForSequenceClassification``: ModernBERT, mmBERT, Ettin."""

from __future__ import annotations

from typing import Any

from rally.convert.checkpoint import Checkpoint
from rally.convert.llama import activation
from rally.convert.plan import Entry
from rally.convert.raters.outputs import output_count, output_fields
from rally.convert.raters.planning import Plan, linear, norm, packed, prefix_of, refuse_unless, sizes, zeros
from rally.convert.scoring import score_fields
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, ModelFileError, Rater, RopeTable
from rally.modelfile.rope import plain_frequencies

_TABLE = "embeddings.tok_embeddings.weight"
_KINDS = ("full_attention", "sliding_attention")


def plan(checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None) -> Plan:
    """Return the plan of a pre-norm encoder that looks near and far by turns."""
    refuse_unless(config, {"quantization_config": ()})
    prefix = prefix_of(checkpoint, _TABLE)
    count = output_count(checkpoint, "classifier")
    body = sizes(config)
    kinds = _layer_kinds(config, body["num_block_layers"])
    scoring = score_fields(config) | output_fields(config, count)
    scoring |= {
        "pooling": config.choice("classifier_pooling", ("cls", "mean"), "cls"),
        "head": "mlp",
        "head_act": activation(config, "classifier_activation", "gelu"),
        "head_norm": True,
    }
    model = Rater(
        name=name,
        tokenizer=tokenizer,
        **body,
        max_position_embeddings=config.integer("max_position_embeddings"),
        norm="layernorm",
        norm_eps=config.positive("norm_eps", 1e-5),
        norm_bias=config.boolean("norm_bias", False),
        hidden_act=activation(config, "hidden_activation", "gelu"),
        attention_bias=config.boolean("attention_bias", False),
        mlp_bias=config.boolean("mlp_bias", False),
        layers_without_input_norm=(0,),
        embed_norm=True,
        final_norm="tokens",
        **_attention(config, kinds),
        **_rope(config, kinds, body["head_dim"]),
        **scoring,
    )
    width, biased = model.hidden_size, config.boolean("classifier_bias", False)
    entries = [
        Entry("embed_tokens.weight", (model.vocab_size, width), (prefix + _TABLE,)),
        *norm(checkpoint, "embed_norm", f"{prefix}embeddings.norm", width, model.norm_bias),
        *_layer_entries(checkpoint, model, f"{prefix}layers"),
        *norm(checkpoint, "norm", f"{prefix}final_norm", width, model.norm_bias),
        *linear("head.0", "head.dense", (width, width), biased),
        *norm(checkpoint, "head.norm", "head.norm", width, model.norm_bias),
        *linear("head.1", "classifier", (count, width)),
    ]
    return Plan(model, entries, {} if biased else {"head.0.bias": zeros(width)})


def _layer_kinds(config: Settings, count: int) -> tuple[str, ...]:
    """Return which layers see all tokens, from either generation of configurations."""
    given = config.values.get("layer_types")
    if given is None:
        every = config.integer("global_attn_every_n_layers", 3)
        return tuple(_KINDS[0] if index % every == 0 else _KINDS[1] for index in range(count))
    if not isinstance(given, list) or len(given) != count or not set(given) <= set(_KINDS):
        raise ModelFileError(f"{config.source}: layer_types: expected {count} of {', '.join(_KINDS)}, found {given!r}")
    return tuple(given)


def _attention(config: Settings, kinds: tuple[str, ...]) -> dict[str, Any]:
    if _KINDS[1] not in kinds:
        return {}
    return {"sliding_window": config.integer("local_attention", 128), "layer_types": kinds}


def _rope(config: Settings, kinds: tuple[str, ...], head_dim: int) -> dict[str, Any]:
    """Return one table of angles where both kinds of layer turn alike, else one of each."""
    if head_dim % 2:
        raise ModelFileError(f"{config.source}: a head width of {head_dim} cannot be turned: expected an even one")
    thetas = _thetas(config)
    used = sorted({thetas[kind] for kind in kinds})
    if any(theta <= 0 for theta in used):
        raise config.wrong("rope_theta", used)
    if len(used) == 1:
        return {"rope_theta": used[0]}
    tables = tuple(RopeTable(tuple(plain_frequencies(theta, head_dim).tolist())) for theta in used)
    return {"rope_tables": tables, "rope_layers": tuple(used.index(thetas[kind]) for kind in kinds)}


def _thetas(config: Settings) -> dict[str, float]:
    """Return the base of the angles of each kind of layer."""
    everywhere = config.positive("global_rope_theta", 160000.0)
    # A null local_rope_theta is the global one; without the key it is 10000.
    nearby = config.positive("local_rope_theta", everywhere if "local_rope_theta" in config.values else 10000.0)
    thetas = dict(zip(_KINDS, (everywhere, nearby), strict=True))
    parameters = config.section("rope_parameters") if "rope_parameters" in config else None
    for kind in _KINDS:
        if parameters is None or kind not in parameters:
            continue
        section = parameters.section(kind)
        if section.values.get("rope_type", "default") != "default":
            raise ModelFileError(f"{section.source}: rope_type {section.values['rope_type']!r} is not supported")
        thetas[kind] = section.positive("rope_theta", thetas[kind])
    return thetas


def _layer_entries(checkpoint: Checkpoint, model: Rater, prefix: str) -> list[Entry]:
    width, inner = model.hidden_size, model.intermediate_size
    attention, feed = bool(model.attention_bias), bool(model.mlp_bias)
    entries = []
    for index in range(model.num_block_layers):
        here, layer = f"block.{index}", f"{prefix}.{index}"
        if index:
            entries += norm(checkpoint, f"{here}.input_layernorm", f"{layer}.attn_norm", width, model.norm_bias)
        names = [f"{here}.self_attn.{letter}_proj" for letter in "qkv"]
        entries += packed(names, f"{layer}.attn.Wqkv", (width, width), attention)
        entries += linear(f"{here}.self_attn.o_proj", f"{layer}.attn.Wo", (width, width), attention)
        entries += norm(checkpoint, f"{here}.post_attention_layernorm", f"{layer}.mlp_norm", width, model.norm_bias)
        halves = (f"{here}.mlp.gate_proj", f"{here}.mlp.up_proj")
        entries += packed(halves, f"{layer}.mlp.Wi", (inner, width), feed)
        entries += linear(f"{here}.mlp.down_proj", f"{layer}.mlp.Wo", (width, inner), feed)
    return entries
