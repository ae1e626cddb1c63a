"""Plans the conversion of BERT with a score: ``BertForSequenceClassification`` of one label, or a linear head."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from onnx import TensorProto

from rally.convert.checkpoint import Checkpoint
from rally.convert.llama import activation
from rally.convert.plan import Entry, check_keys, collect
from rally.convert.scoring import cdf, norm_entries, score_fields
from rally.convert.settings import Settings
from rally.modelfile import ModelFileError, Rater, Tensor, Tokenizer, WordPiece

_TABLE = "embeddings.word_embeddings.weight"
_HEADS = ("classifier", "regressor", "head")

#: Layers' tensors: canonical name → name in ``BertLayer``.
_LAYER = {
    "self_attn.q_proj": "attention.self.query",
    "self_attn.k_proj": "attention.self.key",
    "self_attn.v_proj": "attention.self.value",
    "self_attn.o_proj": "attention.output.dense",
    "input_layernorm": "attention.output.LayerNorm",
    "mlp.up_proj": "intermediate.dense",
    "mlp.down_proj": "output.dense",
    "post_attention_layernorm": "output.LayerNorm",
}

#: Fields that change the mathematics, and the values under which they do not.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "model_type": ("bert",),
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
    "quantization_config": (),
}


def is_bert(checkpoint: Checkpoint) -> bool:
    """Tell whether a checkpoint holds BERT's tables."""
    return any(key.endswith(_TABLE) for key in checkpoint.sources)


def convert_bert(
    checkpoint: Checkpoint, config: Settings, name: str, tokenizer: Tokenizer | WordPiece | None, dtype: str | None
) -> tuple[Rater, list[Tensor]]:
    """Return the description and the weights.

    With BERT's pooler the score is that of ``BertForSequenceClassification``: the pooler is the first layer of an mlp
    head on the first token. ``pooling`` in the configuration, ``cls``, ``mean`` or ``last``, asks for a linear head
    without it. The type of all tokens is 0; its embedding is part of every position.

    Raises
    ------
    ModelFileError
        When a key is missing, unknown or of the wrong shape, or the configuration asks for what the format cannot say.
    """
    table = next(key for key in checkpoint.sources if key.endswith(_TABLE))
    prefix = table.removesuffix(_TABLE)
    for key, neutral in _NEUTRAL.items():
        if config.values.get(key) is not None and config.values[key] not in neutral:
            raise ModelFileError(f"{config.source}: {key} {config.values[key]!r} is not supported: found {table}")
    model = _describe(checkpoint, config, name, tokenizer, prefix)
    types = Entry("types", (config.integer("type_vocab_size", 2), model.hidden_size), (f"{prefix}{_TYPES}",))
    entries = _entries(checkpoint, model, prefix)
    check_keys(checkpoint, [*entries, types], _unused(model, prefix))
    tensors = [
        _with_type(checkpoint, tensor, types.keys[0]) if tensor.name == "embed_positions.weight" else tensor
        for tensor in collect(checkpoint, entries, dtype)
    ]
    return model, tensors + cdf(checkpoint, config)


_TYPES = "embeddings.token_type_embeddings.weight"


def _describe(
    checkpoint: Checkpoint, config: Settings, name: str, tokenizer: Tokenizer | WordPiece | None, prefix: str
) -> Rater:
    width, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    if width % heads:
        raise ModelFileError(f"{config.source}: num_attention_heads {heads} does not divide hidden_size {width}")
    scoring = score_fields(config, head_act="tanh")
    uses_pooler = "pooling" not in config
    if uses_pooler and f"{prefix}pooler.dense.weight" not in checkpoint.sources:
        raise ModelFileError(f"{config.source}: missing pooling: cls, mean or last, as the checkpoint has no pooler")
    if uses_pooler:
        scoring |= {"pooling": "cls", "head": "mlp", "head_act": "tanh"}
    return Rater(
        name=name,
        tokenizer=tokenizer,
        vocab_size=config.integer("vocab_size"),
        hidden_size=width,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        head_dim=width // heads,
        intermediate_size=config.integer("intermediate_size"),
        max_position_embeddings=config.integer("max_position_embeddings"),
        num_block_layers=config.integer("num_hidden_layers"),
        norm="layernorm",
        norm_eps=config.number("layer_norm_eps", 1e-12),
        norm_position="post",
        norm_bias=True,
        hidden_act=activation(config),
        mlp="plain",
        attention_bias=True,
        mlp_bias=True,
        positions="learned",
        embed_norm=True,
        final_norm="none",
        **scoring,
    )


def _entries(checkpoint: Checkpoint, model: Rater, prefix: str) -> list[Entry]:
    width, inner = model.hidden_size, model.intermediate_size
    embeddings = f"{prefix}embeddings"
    entries = [
        Entry("embed_tokens.weight", (model.vocab_size, width), (prefix + _TABLE,)),
        Entry(
            "embed_positions.weight",
            (model.max_position_embeddings, width),
            (f"{embeddings}.position_embeddings.weight",),
        ),
        *norm_entries(model, "embed_norm", f"{embeddings}.LayerNorm"),
    ]
    shapes = {"mlp.up_proj": (inner, width), "mlp.down_proj": (width, inner)}
    for index in range(model.num_block_layers):
        for canonical, source in _LAYER.items():
            dims = shapes.get(canonical, (width, width) if canonical.startswith("self_attn") else (width,))
            key = f"{prefix}encoder.layer.{index}.{source}"
            entries.append(Entry(f"block.{index}.{canonical}.weight", dims, (f"{key}.weight",)))
            entries.append(Entry(f"block.{index}.{canonical}.bias", dims[:1], (f"{key}.bias",)))
    return entries + _head(checkpoint, model, prefix)


def _head(checkpoint: Checkpoint, model: Rater, prefix: str) -> list[Entry]:
    head = next((name for name in _HEADS if f"{name}.weight" in checkpoint.sources), _HEADS[0])
    outputs = checkpoint.sources[f"{head}.weight"].dims[:1] if f"{head}.weight" in checkpoint.sources else (1,)
    if outputs != (1,):
        raise ModelFileError(f"{head}.weight: expected one label, a score, found {outputs[0] if outputs else 'none'}")
    layers = {"head": (head, 1)}
    if model.head == "mlp":
        layers = {"head.0": (f"{prefix}pooler.dense", model.hidden_size), "head.1": (head, 1)}
    entries = []
    for name, (key, rows) in layers.items():
        entries.append(Entry(f"{name}.weight", (rows, model.hidden_size), (f"{key}.weight",)))
        entries.append(Entry(f"{name}.bias", (rows,), (f"{key}.bias",)))
    return entries


def _unused(model: Rater, prefix: str) -> tuple[str, ...]:
    """Return the keys that may be there and say nothing: numbers 0, 1, 2, …, and a pooler that is left out."""
    names = ["embeddings.position_ids", "embeddings.token_type_ids"]
    if model.head == "linear":
        names += ["pooler.dense.weight", "pooler.dense.bias"]
    return ("score.cdf", *(prefix + name for name in names))


def _with_type(checkpoint: Checkpoint, positions: Tensor, types_key: str) -> Tensor:
    """Return the table of positions with the embedding of token type 0 added to each, in f32."""
    key = types_key.replace("token_type_embeddings", "position_embeddings")
    return replace(
        positions,
        element=TensorProto.FLOAT,
        load=lambda: (checkpoint.load(key).float() + checkpoint.load(types_key)[0].float()).numpy(),
    )
