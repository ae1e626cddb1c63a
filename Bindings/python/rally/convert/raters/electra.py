"""Plans the conversion of ``ElectraForSequenceClassification``."""

from __future__ import annotations

from rally.convert.checkpoint import Checkpoint
from rally.convert.raters import bert
from rally.convert.raters.outputs import output_count, output_fields
from rally.convert.raters.planning import Plan, linear, prefix_of, refuse_unless
from rally.convert.scoring import score_fields
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, ModelFileError


def plan(checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None) -> Plan:
    """Return the plan of BERT's layers with ELECTRA's head, whose activation is always gelu.

    Raises
    ------
    ModelFileError
        When embeddings are narrower than the layers, as in ELECTRA-small.
    """
    refuse_unless(config, bert.NEUTRAL)
    prefix = prefix_of(checkpoint, bert.TABLE)
    width, narrow = config.integer("hidden_size"), config.integer("embedding_size", 128)
    if narrow != width:
        raise ModelFileError(
            f"{config.source}: embedding_size {narrow} with hidden_size {width} is not supported: expected the same"
        )
    count, length = output_count(checkpoint, "classifier.out_proj"), config.integer("max_position_embeddings", 512)
    scoring = score_fields(config) | output_fields(config, count)
    scoring |= {"pooling": "cls", "head": "mlp", "head_act": "gelu"}
    model = bert.encoder(config, name, tokenizer, max_position_embeddings=length, **scoring)
    entries = [
        *bert.embedding_entries(checkpoint, model, prefix, (length, 0)),
        *bert.layer_entries(checkpoint, model, f"{prefix}encoder.layer"),
        *linear("head.0", "classifier.dense", (width, width)),
        *linear("head.1", "classifier.out_proj", (count, width)),
    ]
    unused = (f"{prefix}embeddings.position_ids", f"{prefix}embeddings.token_type_ids")
    return Plan(
        model,
        entries,
        {"embed_positions.weight": bert.typed_positions(prefix, 0)},
        [bert.type_entry(config, prefix, width)],
        unused,
    )
