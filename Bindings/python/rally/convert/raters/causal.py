"""Plans the conversion of Llama and its relatives ``ForSequenceClassification``: QuRater, reward models."""

from __future__ import annotations

import re

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
    body = Settings({key: value for key, value in config.values.items() if key not in CHOSEN}, config.source)
    pad = config.integer("pad_token_id", -1, minimum=-1, maximum=config.integer("vocab_size") - 1)
    model = Rater(
        name=name,
        tokenizer=tokenizer,
        num_block_layers=config.layer_count(),
        attention="causal",
        final_norm="tokens",
        pad_token_id=pad if pad >= 0 else None,
        **base_fields(body),
        **(score_fields(config) | {"pooling": "last", "head": "linear"} | output_fields(config, count)),
    )
    width = model.hidden_size
    entries = [Entry("embed_tokens.weight", (model.vocab_size, width), ("model.embed_tokens.weight",))]
    for index in range(model.num_block_layers):
        entries += [
            Entry(f"block.{index}.{kind}", dims, (f"model.layers.{index}.{kind}",))
            for kind, dims in layer_dims(model, index).items()
        ]
    entries.append(Entry("norm.weight", (width,), ("model.norm.weight",)))
    entries.append(Entry("head.weight", (count, width), (f"{_HEAD}.weight",)))
    unused = ["lm_head.weight", *(key for key in checkpoint.sources if _BUFFER.fullmatch(key))]
    return Plan(model, entries, {"head.bias": zeros(count)}, unused=tuple(unused))
