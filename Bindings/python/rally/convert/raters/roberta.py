"""Plans the conversion of RoBERTa, XLM-R and CamemBERT ``ForSequenceClassification``."""

from __future__ import annotations

from rally.convert.checkpoint import Checkpoint
from rally.convert.raters import bert
from rally.convert.raters.outputs import output_count, output_fields
from rally.convert.raters.planning import Plan, linear, prefix_of, refuse_unless
from rally.convert.scoring import score_fields
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer


def plan(checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None) -> Plan:
    """Return the plan of BERT's layers with the positions and the head of RoBERTa.

    Position j of a text is row j + 1 + ``pad_token_id`` of the table; the rows before are left out.
    """
    rows, skipped = config.integer("max_position_embeddings"), config.integer("pad_token_id", 1, minimum=0) + 1
    if rows <= skipped:
        raise config.wrong("max_position_embeddings", rows)
    pooler = ("pooler.dense.weight", "pooler.dense.bias")
    return dense_head(checkpoint, config, name, tokenizer, (rows, skipped), "tanh", pooler)


def dense_head(
    checkpoint: Checkpoint,
    config: Settings,
    name: str,
    tokenizer: AnyTokenizer | None,
    positions: tuple[int, int],
    head_act: str,
    unused: tuple[str, ...] = (),
) -> Plan:
    """Return the plan of BERT's layers with ``classifier.dense`` and ``classifier.out_proj`` on the first token.

    ``positions``: rows of their table, and how many at the front are none; ``unused``: keys of the body that may be there.
    """
    refuse_unless(config, bert.NEUTRAL)
    prefix = prefix_of(checkpoint, bert.TABLE)
    count = output_count(checkpoint, "classifier.out_proj")
    rows, skipped = positions
    scoring = score_fields(config) | output_fields(config, count)
    scoring |= {"pooling": "cls", "head": "mlp", "head_act": head_act}
    model = bert.encoder(config, name, tokenizer, max_position_embeddings=rows - skipped, **scoring)
    width = model.hidden_size
    entries = [
        *bert.embedding_entries(checkpoint, model, prefix, positions),
        *bert.layer_entries(checkpoint, model, f"{prefix}encoder.layer"),
        *linear("head.0", "classifier.dense", (width, width)),
        *linear("head.1", "classifier.out_proj", (count, width)),
    ]
    return Plan(
        model,
        entries,
        {"embed_positions.weight": bert.typed_positions(prefix, skipped)},
        [bert.type_entry(config, prefix, width)],
        tuple(prefix + key for key in ("embeddings.position_ids", "embeddings.token_type_ids", *unused)),
    )
