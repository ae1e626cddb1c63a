"""The fields of a configuration that mean nothing to a result, and the refusal of those that are not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rally.convert.settings import Settings
from rally.modelfile import ModelFileError

#: Fields that every configuration may have: of training, of caches, of generation, of the library that wrote it.
HARMLESS = frozenset(
    """
    architectures auto_map model_type transformers_version torch_dtype dtype name_or_path base_model_name_or_path
    finetuning_task task_specific_params tokenizer_class problem_type id2label label2id num_labels language
    attn_implementation attention_implementation use_flash_attention use_flash_attn torchscript use_bfloat16
    tf_legacy_loss return_dict output_hidden_states output_attentions is_encoder_decoder is_decoder
    chunk_size_feed_forward pruned_heads tie_encoder_decoder cross_attention_hidden_size add_cross_attention
    use_cache initializer_range initializer_factor attention_dropout hidden_dropout hidden_dropout_prob
    attention_probs_dropout_prob dropout embd_pdrop resid_pdrop attn_pdrop pretraining_tp gradient_checkpointing
    embedding_dropout classifier_dropout layerdrop
    bos_token_id eos_token_id pad_token_id sep_token_id decoder_start_token_id unk_token_id mask_token_id
    max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p
    typical_p min_p repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids
    num_return_sequences output_scores return_dict_in_generate forced_bos_token_id forced_eos_token_id
    remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens prefix
    max_new_tokens generation_config tokenizer_name model_max_length padding_side truncation_side seq_length
    unsloth_version unsloth_fixed unsloth_tokenizer quantization_bits is_llama_config rope_interleaved
    transformers.js_config
    """.split()  # noqa: SIM905
)

#: Fields that say something only where they differ from these values.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "is_encoder_decoder": (False,),
    "add_cross_attention": (False,),
    "chunk_size_feed_forward": (0,),
    "is_llama_config": (True,),
    "rope_interleaved": (False,),
    "partial_rotary_factor": (1, 1.0),
    "num_experts": (0, 1),
    "num_local_experts": (0, 1),
    "embedding_multiplier": (1, 1.0),
    "residual_multiplier": (1, 1.0),
    "attention_multiplier": (),
    "logits_scaling": (1, 1.0),
    "logit_scale": (1, 1.0),
    "scale_emb": (1, 1.0),
    "scale_depth": (1, 1.0),
}

#: Read for every language model, whichever its type.
_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_attention_heads",
    "num_key_value_heads",
    "num_hidden_layers",
    "head_dim",
    "intermediate_size",
    "max_position_embeddings",
    "rms_norm_eps",
    "hidden_act",
    "tie_word_embeddings",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "original_max_position_embeddings",
    "layer_types",
    "kv_sharing",
)


def refuse_unknown(config: Settings, read: Iterable[str], neutral: Mapping[str, tuple[Any, ...]] | None = None) -> None:
    """Raise an error that names a field which may change the mathematics in a way the format cannot say.

    Parameters
    ----------
    config : Settings
        The configuration.
    read : iterable of str
        Fields that the model's type reads besides sizes, norms and positions.
    neutral : mapping of str to tuple, optional
        Fields of the type that say nothing at these values.
    """
    values = NEUTRAL | dict(neutral or {})
    known = {*_SIZES, *read}
    for key, value in config.values.items():
        if key in values and key not in known:
            if value is not None and value not in values[key]:
                raise unsupported(config, key, value)
        elif not (key in known or key in HARMLESS or key.startswith("_") or _says_nothing(value)):
            kind, fields = config.values.get("model_type") or "llama", ", ".join(sorted(known - {"kv_sharing"}))
            advice = f"remove it if it has no effect; {kind} reads {fields}"
            raise ModelFileError(f"{config.source}: {key} {value!r} is not supported: {advice}")


def _says_nothing(value: Any) -> bool:
    """Tell whether a value switches nothing on: null, false, nothing in it."""
    return value is None or value is False or value in ("", [], {})


def unsupported(config: Settings, key: str, value: Any) -> ModelFileError:
    """Return the error for a field that changes the mathematics."""
    return ModelFileError(f"{config.source}: {key} {value!r} is not supported")
