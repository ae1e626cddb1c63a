"""Plans the conversion of ``EuroBertForSequenceClassification``."""

from __future__ import annotations

from rally.convert.checkpoint import Checkpoint
from rally.convert.raters import causal
from rally.convert.raters.outputs import output_count, output_fields
from rally.convert.raters.planning import Plan, linear
from rally.convert.scoring import score_fields
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer

#: Its name in transformers, and in the code that came with checkpoints before.
_KEYS = ("classifier_pooling", "clf_pooling")

#: Its values → the format's words for them.
_POOLINGS = {"bos": "cls", "mean": "mean", "late": "late"}


def plan(checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None) -> Plan:
    """Return the plan of Llama's layers that see the whole row, and a head of two layers."""
    count = output_count(checkpoint, "classifier")
    scoring = score_fields(config) | output_fields(config, count)
    key = next((key for key in _KEYS if key in config.values), _KEYS[0])
    pooling = _POOLINGS[config.choice(key, tuple(_POOLINGS), "late")]
    scoring |= {"pooling": pooling, "head": "mlp", "head_act": "gelu"}
    own = {*_KEYS, "mask_token_id", "mask_token", "bos_token", "eos_token", "pad_token"}
    llama = {key: value for key, value in config.values.items() if key not in own} | {"model_type": "llama"}
    model = causal.body(Settings(llama, config.source), name, tokenizer, **scoring)
    width = model.hidden_size
    entries = [
        *causal.body_entries(model),
        *linear("head.0", "dense", (width, width)),
        *linear("head.1", "classifier", (count, width)),
    ]
    return Plan(model, entries, unused=tuple(causal.buffers(checkpoint)))
