"""Plans the conversion of ``DebertaV2ForSequenceClassification`` (DeBERTa-v2, v3), and of NeMo Curator's class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from rally.convert.checkpoint import Checkpoint
from rally.convert.llama import activation
from rally.convert.plan import Entry
from rally.convert.raters import bert
from rally.convert.raters.outputs import output_count, output_fields
from rally.convert.raters.planning import Plan, linear, norm, norm_keys, prefix_of, refuse_unless
from rally.convert.scoring import score_fields
from rally.convert.settings import Settings
from rally.modelfile import MAX_DISTANCE, AnyTokenizer, ModelFileError, Rater
from rally.modelfile.tensors import Array

_TABLE = "embeddings.word_embeddings.weight"
_DISTANCES = "encoder.rel_embeddings.weight"
_KINDS = ("c2p", "p2c")

_PROJECTIONS = {
    "self_attn.q_proj": "attention.self.query_proj",
    "self_attn.k_proj": "attention.self.key_proj",
    "self_attn.v_proj": "attention.self.value_proj",
    "self_attn.o_proj": "attention.output.dense",
    "mlp.up_proj": "intermediate.dense",
    "mlp.down_proj": "output.dense",
}

_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "relative_attention": (True,),
    "position_biased_input": (False,),
    "conv_kernel_size": (0,),
    "type_vocab_size": (0,),
    "norm_rel_ebd": ("layer_norm", "none"),
    "quantization_config": (),
}


def plan(checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None) -> Plan:
    """Return the plan of BERT's layers with attention to distances.

    What queries and keys make of the table of distances depends on the weights alone; it is computed here.
    """
    refuse_unless(config, _NEUTRAL)
    if not config.boolean("relative_attention", False) or config.values.get("position_biased_input", True):
        raise ModelFileError(f"{config.source}: expected relative_attention true and position_biased_input false")
    prefix = prefix_of(checkpoint, _TABLE)
    has_pooler = "fc.weight" not in checkpoint.sources
    head = "classifier" if has_pooler else "fc"
    count = output_count(checkpoint, head)
    width = config.integer("hidden_size")
    if config.integer("embedding_size", width) != width:
        raise ModelFileError(
            f"{config.source}: embedding_size {config.values['embedding_size']} is not supported: it is not hidden_size"
        )
    scoring = score_fields(config) | output_fields(config, count) | {"pooling": "cls", "head": "linear"}
    if has_pooler:
        scoring |= {"head": "mlp", "head_act": activation(config, "pooler_hidden_act", "gelu")}
    fields = (
        scoring
        | _distances(config)
        | {"positions": "disentangled", "norm_eps": config.positive("layer_norm_eps", 1e-7)}
    )
    model = bert.encoder(config, name, tokenizer, **fields)
    entries = [
        Entry("embed_tokens.weight", (model.vocab_size, width), (prefix + _TABLE,)),
        *norm(checkpoint, "embed_norm", f"{prefix}embeddings.LayerNorm", width),
        *bert.layer_entries(checkpoint, model, f"{prefix}encoder.layer", _PROJECTIONS),
    ]
    if has_pooler:
        entries += linear("head.0", "pooler.dense", (width, width))
    entries += linear("head.1" if has_pooler else "head", head, (count, width))
    return Plan(
        model,
        entries,
        _tables(config, model, prefix),
        _table_sources(checkpoint, config, model, prefix),
        (f"{prefix}embeddings.position_ids",),
    )


def _distances(config: Settings) -> dict[str, Any]:
    """Return how many buckets there are, the longest distance that they tell apart, and the kinds of score."""
    length = config.integer("max_position_embeddings", maximum=MAX_DISTANCE)
    longest = config.integer("max_relative_positions", -1, minimum=-1)
    longest = length if longest < 1 else longest
    buckets = config.integer("position_buckets", -1, minimum=-1)
    if buckets > 0 and longest <= buckets // 2 + 1:
        raise ModelFileError(
            f"{config.source}: max_relative_positions: expected more than half of position_buckets {buckets} and one, "
            f"or -1, found {longest}"
        )
    given = config.get("pos_att_type", [])
    kinds = given.split("|") if isinstance(given, str) else given
    if not isinstance(kinds, list) or not set(kinds) <= set(_KINDS) or not kinds:
        raise ModelFileError(f"{config.source}: pos_att_type: expected some of {', '.join(_KINDS)}, found {given!r}")
    return {
        "max_position_embeddings": length,
        "position_buckets": buckets if buckets > 0 else longest,
        "max_relative_positions": longest if buckets > 0 else 0,
        "pos_att_type": tuple(kind for kind in _KINDS if kind in kinds),
    }


# MARK: what the projections make of distances


def _projections(config: Settings, kind: str) -> str:
    """Return the projection that makes the table of one kind of score."""
    shared = config.boolean("share_att_key", False)
    return {"c2p": "key_proj" if shared else "pos_key_proj", "p2c": "query_proj" if shared else "pos_query_proj"}[kind]


def _table_sources(checkpoint: Checkpoint, config: Settings, model: Rater, prefix: str) -> list[Entry]:
    """Return the keys that only the tables need."""
    width = model.hidden_size
    sources = [Entry("distances", (2 * model.position_buckets, width), (prefix + _DISTANCES,))]
    if config.values.get("norm_rel_ebd", "none") == "layer_norm":
        sources += norm(checkpoint, "distances.norm", f"{prefix}encoder.LayerNorm", width)
    if not config.boolean("share_att_key", False):
        for index in range(model.num_block_layers):
            for kind in model.pos_att_type:
                key = f"{prefix}encoder.layer.{index}.attention.self.{_projections(config, kind)}"
                sources += linear(key, key, (width, width), f"{key}.bias" in checkpoint.sources)
    return sources


def _tables(config: Settings, model: Rater, prefix: str) -> dict[str, Callable[[Checkpoint], Array]]:
    names = {"c2p": "pos_k", "p2c": "pos_q"}
    tables = {}
    for index in range(model.num_block_layers):
        for kind in model.pos_att_type:
            key = f"{prefix}encoder.layer.{index}.attention.self.{_projections(config, kind)}"
            tables[f"block.{index}.self_attn.{names[kind]}"] = _table(config, model, prefix, key)
    return tables


def _table(config: Settings, model: Rater, prefix: str, key: str) -> Callable[[Checkpoint], Array]:
    """Return what makes W E + b of all distances [2P, H·K], in f64, rounded to f32."""

    def make(checkpoint: Checkpoint) -> Array:
        distances = checkpoint.load(prefix + _DISTANCES).double()
        if config.values.get("norm_rel_ebd", "none") == "layer_norm":
            keys = norm_keys(checkpoint, f"{prefix}encoder.LayerNorm")
            gain, bias = (checkpoint.load(keys[part]).double() for part in ("weight", "bias"))
            distances = torch.nn.functional.layer_norm(distances, (model.hidden_size,), gain, bias, model.norm_eps)
        table = distances @ checkpoint.load(f"{key}.weight").double().T
        if f"{key}.bias" in checkpoint.sources:
            table = table + checkpoint.load(f"{key}.bias").double()
        made: Array = table.float().numpy()
        return made

    return make
