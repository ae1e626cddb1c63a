"""Plans the conversion of retrofitted recurrence: Llama blocks in prelude, core and coda (``huginn_raven``)."""

from __future__ import annotations

import re
from typing import Any

from rally.convert.checkpoint import Checkpoint
from rally.convert.fields import refuse_unknown
from rally.convert.loops import LoopChoices
from rally.convert.plan import Entry, check_keys, collect
from rally.convert.rope import read_rope
from rally.convert.settings import Settings
from rally.modelfile import MAX_LAYERS, MAX_RECURSIONS, AnyTokenizer, LanguageModel, ModelFileError, Tensor
from rally.modelfile.shapes import layer_dims

MODEL_TYPE = "huginn_raven"

#: Parts of the stack: canonical name → the checkpoint's, and the configuration's count of layers.
_PARTS = {
    "first": ("prelude", "n_layers_in_prelude"),
    "block": ("core_block", "n_layers_in_recurrent_block"),
    "last": ("coda", "n_layers_in_coda"),
}

#: What only Huginn itself has: norms after the sums, and biases on queries and keys.
_HUGINN = re.compile(r"transformer\.\w+\.\d+\.(norm_3|norm_4)\.|.*\.qk_bias$")

_READ = (
    *(key for _, key in _PARTS.values()),
    "n_embd",
    "n_heads",
    "padded_vocab_size",
    "norm_eps",
    "bias",
    "tie_embeddings",
    "init_values",
    "mean_recurrence",
    "qk_bias",
)

#: What the code of these models writes and never reads, or what its blocks imply.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "architecture_class_name": ("RecurrentGPT",),
    "block_class_name": ("SandwichBlock", "TransformerPreNormBlock"),
    "mlp_class_name": ("GatedMLP",),
    "nonlin_name": ("SiLU",),
    "norm_class_name": ("RMSNorm_llama", "RMSNorm"),
    "injection_type": ("linear",),
    "test_time_noise": (0, 0.0),
    "qk_bias": (False,),
}
_UNUSED = (
    "block_size",
    "n_layers",
    "rope_base",
    "mean_backprop_depth",
    "effective_expected_depth",
    "initial_state_mode",
    "state_init",
    "sampling_scheme",
    "test_time_noise_type",
    "activation_checkpoint_impl",
    "init_strategy",
    "init_orthogonal",
    "lockstep_n",
    "lockstep_k",
    "mcleish_throttle",
    "elbo",
)


def is_retrofit(config: Settings) -> bool:
    """Tell whether a configuration names this architecture, or Huginn, which shares the name."""
    return config.values.get("model_type") == MODEL_TYPE


def without_foreign_ids(config: Settings) -> Settings:
    """Return a retrofit's configuration without its ids of tokens: they are Huginn's, the tokenizer's are right."""
    if not is_retrofit(config):
        return config
    ids = ("bos_token_id", "eos_token_id", "pad_token_id")
    return Settings({key: value for key, value in config.values.items() if key not in ids}, config.source)


def convert_retrofit(
    checkpoint: Checkpoint,
    config: Settings,
    name: str,
    tokenizer: AnyTokenizer | None,
    dtype: str | None,
    choices: LoopChoices,
) -> tuple[LanguageModel, list[Tensor]]:
    """Return the description and the weights.

    The state begins as zeros. The code draws it again for every call, which gives no result twice.

    Raises
    ------
    ModelFileError
        When a key is missing, unknown or of the wrong shape, or the checkpoint is Huginn itself.
    """
    huginn = next((key for key in checkpoint.sources if _HUGINN.match(key)), None)
    if huginn:
        raise ModelFileError(f"Huginn itself is not supported, only retrofitted Llamas of its kind: found {huginn}")
    refuse_unknown(config, (*_READ, *_UNUSED), _NEUTRAL)
    for key, values in _NEUTRAL.items():
        if config.values.get(key) is not None and config.values[key] not in values:
            raise ModelFileError(f"{config.source}: {key} {config.values[key]!r} is not supported")
    model = _describe(checkpoint, config, name, tokenizer, choices)
    entries = _entries(model)
    tied = ("lm_head.weight",) if model.tie_word_embeddings else ()
    check_keys(checkpoint, entries, (*tied, "freqs_cis", "transformer.freqs_cis"))
    return model, collect(checkpoint, entries, dtype)


def _describe(
    checkpoint: Checkpoint, config: Settings, name: str, tokenizer: AnyTokenizer | None, choices: LoopChoices
) -> LanguageModel:
    width = config.integer("n_embd", config.values.get("hidden_size"))
    heads = config.integer("n_heads", config.values.get("num_attention_heads"))
    groups = config.integer("num_key_value_heads", heads)
    if width % heads or heads % groups or (width // heads) % 2:
        raise ModelFileError(
            f"{config.source}: n_embd {width}, n_heads {heads}, num_key_value_heads {groups}: heads must divide n_embd "
            "into even widths, and be shared evenly"
        )
    steps = config.recursion_count("mean_recurrence") if choices.recursions is None else choices.recursions
    if not 2 <= steps <= MAX_RECURSIONS:
        raise ModelFileError(f"recursions: expected 2 to {MAX_RECURSIONS}, found {steps}")
    choices.refuse("retrofit", "exit_threshold", "kv_policy", "recursions")
    counts = {part: _count(checkpoint, config, part) for part in _PARTS}
    return LanguageModel(
        name=name,
        tokenizer=tokenizer,
        vocab_size=config.integer("padded_vocab_size", config.values.get("vocab_size")),
        hidden_size=width,
        num_attention_heads=heads,
        num_key_value_heads=groups,
        head_dim=width // heads,
        intermediate_size=config.integer("intermediate_size"),
        max_position_embeddings=config.integer("max_position_embeddings"),
        norm_eps=config.positive("norm_eps"),
        embed_scale=config.section("init_values").number("embed_scale", 1.0),
        tie_word_embeddings=_is_tied(checkpoint, config),
        num_first_layers=counts["first"],
        num_block_layers=counts["block"],
        num_last_layers=counts["last"],
        num_recursion=steps,
        sharing="middle_cycle",
        injection="concat",
        injection_bias="transformer.adapter.bias" in checkpoint.sources,
        initial_state="zeros",
        exit="latent_diff",
        **choices.exit_fields(0.0),
        **read_rope(config, width // heads).fields(),
    )


def _count(checkpoint: Checkpoint, config: Settings, part: str) -> int:
    """Return the layers of a part: the configuration and the weights must agree."""
    theirs, key = _PARTS[part]
    said = config.integer(key, minimum=1 if part == "block" else 0, maximum=MAX_LAYERS)
    pattern = re.compile(rf"transformer\.{theirs}\.(\d+)\.")
    found = {int(match[1]) for name in checkpoint.sources if (match := pattern.match(name))}
    if found != set(range(said)):
        raise ModelFileError(f"{config.source}: {key} is {said}, but the checkpoint has {len(found)} layers {theirs}")
    return said


def _is_tied(checkpoint: Checkpoint, config: Settings) -> bool:
    head, embedding = "lm_head.weight", "transformer.wte.weight"
    if head in checkpoint.sources and embedding in checkpoint.sources:
        return checkpoint.equal(head, embedding)
    return config.boolean("tie_embeddings", False)


def _entries(model: LanguageModel) -> list[Entry]:
    width, vocabulary = model.hidden_size, model.vocab_size
    entries = [Entry("embed_tokens.weight", (vocabulary, width), ("transformer.wte.weight",))]
    counts = {"first": model.num_first_layers, "block": model.num_block_layers, "last": model.num_last_layers}
    for part, count in counts.items():
        for index in range(count):
            entries += _layer_entries(model, f"{part}.{index}", f"transformer.{_PARTS[part][0]}.{index}")
    entries.append(Entry("adapter.weight", (width, 2 * width), ("transformer.adapter.weight",)))
    if model.injection_bias:
        entries.append(Entry("adapter.bias", (width,), ("transformer.adapter.bias",)))
    entries.append(Entry("norm.weight", (width,), ("transformer.ln_f.weight",)))
    if not model.tie_word_embeddings:
        entries.append(Entry("lm_head.weight", (vocabulary, width), ("lm_head.weight",)))
    return entries


def _layer_entries(model: LanguageModel, name: str, prefix: str) -> list[Entry]:
    """Return a block's weights: queries, keys and values are rows of one matrix, gate and up of another."""
    heads, groups, inner = model.num_attention_heads, model.num_key_value_heads, model.intermediate_size
    bounds = [0, *(count * model.head_dim for count in (heads, heads + groups, heads + 2 * groups))]
    stacked = {
        **{f"self_attn.{letter}_proj": ("attn.Wqkv", bounds, place) for place, letter in enumerate("qkv")},
        "mlp.gate_proj": ("mlp.fc", [0, inner, 2 * inner], 0),
        "mlp.up_proj": ("mlp.fc", [0, inner, 2 * inner], 1),
    }
    single = {
        "input_layernorm": "norm_1",
        "post_attention_layernorm": "norm_2",
        "self_attn.o_proj": "attn.proj",
        "mlp.down_proj": "mlp.proj",
    }
    entries = []
    for kind, dims in layer_dims(model).items():
        module = kind.removesuffix(".weight")
        if module in single:
            entries.append(Entry(f"{name}.{kind}", dims, (f"{prefix}.{single[module]}.weight",)))
            continue
        key, limits, place = stacked[module]
        whole = (limits[-1], model.hidden_size)
        rows = (limits[place], limits[place + 1])
        entries.append(Entry(f"{name}.{kind}", dims, (f"{prefix}.{key}.weight",), source_dims=whole, rows=rows))
    return entries
