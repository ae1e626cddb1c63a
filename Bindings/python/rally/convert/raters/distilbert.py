"""Plans the conversion of ``DistilBertForSequenceClassification``."""

from __future__ import annotations

from rally.convert.checkpoint import Checkpoint
from rally.convert.llama import activation
from rally.convert.raters import bert
from rally.convert.raters.outputs import output_count, output_fields
from rally.convert.raters.planning import Plan, linear, prefix_of, refuse_unless
from rally.convert.scoring import score_fields
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, ModelFileError

#: Layers' projections: canonical name → name in ``TransformerBlock``.
_PROJECTIONS = {
    "self_attn.q_proj": "attention.q_lin",
    "self_attn.k_proj": "attention.k_lin",
    "self_attn.v_proj": "attention.v_lin",
    "self_attn.o_proj": "attention.out_lin",
    "mlp.up_proj": "ffn.lin1",
    "mlp.down_proj": "ffn.lin2",
}

_NORMS = {"input_layernorm": "sa_layer_norm", "post_attention_layernorm": "output_layer_norm"}


def plan(checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None) -> Plan:
    """Return the plan of BERT's layers without token types, under DistilBERT's names, with its head."""
    refuse_unless(config, {"quantization_config": ()})
    prefix = prefix_of(checkpoint, "embeddings.word_embeddings.weight")
    count = output_count(checkpoint, "classifier")
    width, heads = config.integer("dim"), config.integer("n_heads")
    if width % heads:
        raise ModelFileError(f"{config.source}: n_heads {heads} does not divide dim {width}")
    rows = config.integer("max_position_embeddings")
    fields = (
        score_fields(config)
        | output_fields(config, count)
        | {
            "vocab_size": config.integer("vocab_size"),
            "hidden_size": width,
            "num_attention_heads": heads,
            "num_key_value_heads": heads,
            "head_dim": width // heads,
            "intermediate_size": config.integer("hidden_dim"),
            "num_block_layers": config.layer_count("n_layers"),
            "max_position_embeddings": rows,
            "norm_eps": 1e-12,
            "hidden_act": activation(config, "activation", "gelu"),
            "pooling": "cls",
            "head": "mlp",
            "head_act": "relu",
        }
    )
    model = bert.encoder(config, name, tokenizer, **fields)
    entries = [
        *bert.embedding_entries(checkpoint, model, prefix, (rows, 0)),
        *bert.layer_entries(checkpoint, model, f"{prefix}transformer.layer", _PROJECTIONS, _NORMS),
        *linear("head.0", "pre_classifier", (width, width)),
        *linear("head.1", "classifier", (count, width)),
    ]
    return Plan(model, entries, unused=(f"{prefix}embeddings.position_ids",))
