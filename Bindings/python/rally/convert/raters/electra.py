"""Plans the conversion of ``ElectraForSequenceClassification``."""

from __future__ import annotations

from rally.convert.checkpoint import Checkpoint
from rally.convert.raters import roberta
from rally.convert.raters.planning import Plan
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, ModelFileError


def plan(checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None) -> Plan:
    """Return the plan of BERT's layers with RoBERTa's head, whose activation here is always gelu.

    Raises
    ------
    ModelFileError
        When embeddings are narrower than the layers, as in ELECTRA-small.
    """
    width, narrow = config.integer("hidden_size"), config.integer("embedding_size", 128)
    if narrow != width:
        raise ModelFileError(
            f"{config.source}: embedding_size {narrow} with hidden_size {width} is not supported: expected the same"
        )
    rows = config.integer("max_position_embeddings", 512)
    return roberta.dense_head(checkpoint, config, name, tokenizer, (rows, 0), "gelu")
