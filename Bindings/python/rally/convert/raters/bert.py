"""Plans the conversion of BERT with a score: ``BertForSequenceClassification``, or a linear head."""

from __future__ import annotations

from typing import Any

from rally.convert.checkpoint import Checkpoint
from rally.convert.llama import activation
from rally.convert.plan import Entry
from rally.convert.raters.outputs import (
    has_outputs,
    headless_fields,
    output_count,
    output_fields,
    stated_pooling,
)
from rally.convert.raters.planning import Plan, linear, norm, refuse_unless, sizes
from rally.convert.scoring import score_fields
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, ModelFileError, Rater
from rally.modelfile.tensors import Array

TABLE = "embeddings.word_embeddings.weight"
_POSITIONS = "embeddings.position_embeddings.weight"
_TYPES = "embeddings.token_type_embeddings.weight"
_HEADS = ("classifier", "regressor", "head")

#: Layers' projections: canonical name → name in ``BertLayer``.
_PROJECTIONS = {
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.o_proj": "attention.output.dense",
    "mlp.up_proj": "intermediate.dense",
    "mlp.down_proj": "output.dense",
}

#: Layers' norms.
_NORMS = {"input_layernorm": "attention.output.LayerNorm", "post_attention_layernorm": "output.LayerNorm"}

#: Fields that change the mathematics, and the values under which they do not.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
    "quantization_config": (),
}


def is_bert(checkpoint: Checkpoint) -> bool:
    """Tell whether a checkpoint holds BERT's tables."""
    return any(key.endswith(TABLE) for key in checkpoint.sources)


def plan(checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None) -> Plan:
    """Return the plan of a BERT with a head.

    With BERT's pooler the outputs are those of ``BertForSequenceClassification``: the pooler is the first layer of an
    mlp head on the first token. ``pooling`` in the configuration, ``cls``, ``mean`` or ``last``, asks for a linear head
    without it. A body without a head gives the states so pooled, and no outputs. The type of all tokens is 0; its
    embedding is part of every position.

    Raises
    ------
    ModelFileError
        When the configuration asks for what the format cannot say.
    """
    table = next((key for key in checkpoint.sources if key.endswith(TABLE)), None)
    if table is None:
        raise ModelFileError(f"{checkpoint.directory}: key missing: bert.{TABLE}")
    prefix = table.removesuffix(TABLE)
    refuse_unless(config, NEUTRAL)
    head = next((name for name in _HEADS if f"{name}.weight" in checkpoint.sources), _HEADS[0])
    pooling = None if has_outputs(checkpoint, head) else stated_pooling(checkpoint, config)
    scoring = score_fields(config, head_act="tanh")
    if pooling is not None:
        count, scoring = 0, scoring | headless_fields(config, pooling)
    else:
        count = output_count(checkpoint, head)
        scoring |= output_fields(config, count)
    uses_pooler = pooling is None and "pooling" not in config
    if uses_pooler and f"{prefix}pooler.dense.weight" not in checkpoint.sources:
        raise ModelFileError(f"{config.source}: missing pooling: cls, mean or last, as the checkpoint has no pooler")
    if uses_pooler:
        scoring |= {"pooling": "cls", "head": "mlp", "head_act": "tanh"}
    length = config.integer("max_position_embeddings")
    model = encoder(config, name, tokenizer, max_position_embeddings=length, **scoring)
    entries = [
        *embedding_entries(checkpoint, model, prefix, (length, 0)),
        *layer_entries(checkpoint, model, f"{prefix}encoder.layer"),
    ]
    width = model.hidden_size
    if uses_pooler:
        entries += linear("head.0", f"{prefix}pooler.dense", (width, width))
    if pooling is None:
        entries += linear("head.1" if uses_pooler else "head", head, (count, width))
    unused = [f"{prefix}embeddings.position_ids", f"{prefix}embeddings.token_type_ids"]
    if not uses_pooler:
        unused += [f"{prefix}pooler.dense.weight", f"{prefix}pooler.dense.bias"]
    return Plan(
        model,
        entries,
        {"embed_positions.weight": typed_positions(prefix, 0)},
        [type_entry(config, prefix, width)],
        tuple(unused),
    )


def encoder(config: Settings, name: str, tokenizer: AnyTokenizer | None, **fields: Any) -> Rater:
    """Return the description of BERT's body with these fields besides."""
    usual: dict[str, Any] = {
        "norm": "layernorm",
        "norm_eps": config.positive("layer_norm_eps", 1e-12),
        "norm_position": "post",
        "norm_bias": True,
        "mlp": "plain",
        "attention_bias": True,
        "mlp_bias": True,
        "positions": "learned",
        "embed_norm": True,
        "final_norm": "none",
    }
    if "hidden_act" not in fields:
        usual["hidden_act"] = activation(config, "hidden_act", "gelu")
    return Rater(
        name=name, tokenizer=tokenizer, **(usual | (sizes(config) if "hidden_size" not in fields else {}) | fields)
    )


def embedding_entries(checkpoint: Checkpoint, model: Rater, prefix: str, positions: tuple[int, int]) -> list[Entry]:
    """Return the tables before the layers; ``positions``: rows of theirs, and how many at the front are none."""
    (rows, skipped), width = positions, model.hidden_size
    stored = (rows, width)
    cut: dict[str, Any] = {"source_dims": stored, "rows": (skipped, rows)} if skipped else {}
    return [
        Entry("embed_tokens.weight", (model.vocab_size, width), (prefix + TABLE,)),
        Entry("embed_positions.weight", (rows - skipped, width), (prefix + _POSITIONS,), **cut),
        *norm(checkpoint, "embed_norm", f"{prefix}embeddings.LayerNorm", width),
    ]


def layer_entries(
    checkpoint: Checkpoint,
    model: Rater,
    prefix: str,
    projections: dict[str, str] = _PROJECTIONS,
    norms: dict[str, str] = _NORMS,
) -> list[Entry]:
    """Return the weights of all layers, in the order of ``docs/format.md``, by the checkpoint's names for them."""
    width, inner = model.hidden_size, model.intermediate_size
    shapes = {"mlp.up_proj": (inner, width), "mlp.down_proj": (width, inner)}
    entries = []
    for index in range(model.num_block_layers):
        for canonical, source in projections.items():
            if canonical == "mlp.up_proj":
                entries += _norms(checkpoint, model, index, prefix, norms)
            dims = shapes.get(canonical, (width, width))
            entries += linear(f"block.{index}.{canonical}", f"{prefix}.{index}.{source}", dims)
    return entries


def _norms(checkpoint: Checkpoint, model: Rater, index: int, prefix: str, norms: dict[str, str]) -> list[Entry]:
    entries = []
    for canonical, source in norms.items():
        entries += norm(checkpoint, f"block.{index}.{canonical}", f"{prefix}.{index}.{source}", model.hidden_size)
    return entries


def type_entry(config: Settings, prefix: str, width: int, default: int = 2) -> Entry:
    """Return where the embeddings of token types stand."""
    return Entry("types", (config.integer("type_vocab_size", default), width), (f"{prefix}{_TYPES}",))


def typed_positions(prefix: str, skipped: int) -> Any:
    """Return what makes the table of positions with the embedding of token type 0 added to each, in f32."""

    def make(checkpoint: Checkpoint) -> Array:
        positions = checkpoint.load(f"{prefix}{_POSITIONS}").float()[skipped:]
        typed: Array = (positions + checkpoint.load(f"{prefix}{_TYPES}")[0].float()).numpy()
        return typed

    return make
