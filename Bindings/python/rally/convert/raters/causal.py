"""Plans the conversion of Llama and its relatives ``ForSequenceClassification``: QuRater, reward models."""

from __future__ import annotations

import re
from typing import Any

from rally.convert.checkpoint import Checkpoint
from rally.convert.llama import base_fields
from rally.convert.plan import Entry
from rally.convert.raters.choices import CHOSEN
from rally.convert.raters.outputs import output_count, output_fields
from rally.convert.raters.planning import Plan, zeros
from rally.convert.scoring import score_fields
from rally.convert.settings import Settings
from rally.modelfile import AnyTokenizer, Rater
from rally.modelfile.shapes import layer_dims

#: Architectures of which a classifier is made; the looped ones have none.
TYPES = ("arcee", "llama", "mistral", "qwen2", "qwen3", "smollm3")

_HEAD = "score"
_BUFFER = re.compile(r"model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq")


def is_causal(checkpoint: Checkpoint, config: Settings) -> bool:
    """Tell whether a checkpoint is a language model with a head for scores."""
    return config.values.get("model_type") in TYPES and f"{_HEAD}.weight" in checkpoint.sources


def plan(checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None) -> Plan:
    """Return the plan of a language model's layers with a linear head, without bias, on the last token.

    The last token is the rightmost one that is not ``pad_token_id``; a row's own last token may be that.
    """
    count = output_count(checkpoint, _HEAD)
    pad = config.integer("pad_token_id", -1, minimum=-1, maximum=config.integer("vocab_size") - 1)
    scoring = score_fields(config) | {"pooling": "last", "head": "linear"} | output_fields(config, count)
    model = body(config, name, tokenizer, attention="causal", pad_token_id=pad if pad >= 0 else None, **scoring)
    entries = [*body_entries(model), Entry("head.weight", (count, model.hidden_size), (f"{_HEAD}.weight",))]
    return Plan(model, entries, {"head.bias": zeros(count)}, unused=("lm_head.weight", *buffers(checkpoint)))


def body(config: Settings, name: str, tokenizer: AnyTokenizer | None, **fields: Any) -> Rater:
    """Return the description of a language model's layers with these fields besides."""
    layers = Settings({key: value for key, value in config.values.items() if key not in CHOSEN}, config.source)
    return Rater(
        name=name,
        tokenizer=tokenizer,
        num_block_layers=config.layer_count(),
        final_norm="tokens",
        **base_fields(layers),
        **fields,
    )


def body_entries(model: Rater) -> list[Entry]:
    """Return the weights before the head, in the order of ``docs/format.md``."""
    width = model.hidden_size
    entries = [Entry("embed_tokens.weight", (model.vocab_size, width), ("model.embed_tokens.weight",))]
    for index in range(model.num_block_layers):
        entries += [
            Entry(f"block.{index}.{kind}", dims, (f"model.layers.{index}.{kind}",))
            for kind, dims in layer_dims(model, index).items()
        ]
    return [*entries, Entry("norm.weight", (width,), ("model.norm.weight",))]


def buffers(checkpoint: Checkpoint) -> list[str]:
    """Return the keys of angles, which the configuration says as well."""
    return [key for key in checkpoint.sources if _BUFFER.fullmatch(key)]
