"""What a model says about itself."""

from __future__ import annotations

from ctypes import byref, c_char_p
from dataclasses import dataclass

from . import _library
from ._library import Library


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Sizes of a model: ``rally_model_info``, with names for its enumerations and None for absent tokens."""

    kind: str
    """"lm" or "rater"."""
    routing: str
    """"none", "expert" or "token"."""
    dtype: str
    """Element type of the matrix products: "f32", "bf16", "int8" or "q4"."""
    vocab_size: int
    hidden_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    max_position_embeddings: int
    """Longest row, in tokens."""
    num_layers: int
    """Stored layers."""
    num_effective_layers: int
    """Layers that a token of full depth runs through."""
    num_recursion: int
    """Greatest depth of a token."""
    bos_token_id: int | None
    eos_token_id: int | None
    has_tokenizer: bool
    parameter_count: int
    """Stored parameters."""
    effective_parameter_count: int
    """With the shared block counted once per recursion."""
    weight_bytes: int
    """Packed weights, in memory."""
    kv_bytes_per_token: int
    """Greatest, for a token of full depth; 0 for raters."""
    exit: str
    """How tokens leave a looped model early: "none", "hazard" or "latent_diff"."""
    kv_policy: str | None
    """What later tokens see of skipped recursions, as the file says; None without exits."""
    exit_threshold: float | None
    """The file's own; None without exits."""
    num_labels: int
    """Outputs of a rater; 0 for language models, and for raters without a head, which give pooled states alone."""
    score_rule: str
    """How one score comes of them: "none", "logit", "expectation", "softmax" or "sigmoid"."""
    has_score: bool
    """Whether the rule makes one score, which `Model.rate` gives."""
    score_index: int | None
    """The label whose output is the score."""
    labels: tuple[str, ...]
    """Names of the outputs."""
    int_score: tuple[float, float] | None
    """Bounds of the score that is reported as a whole number, too."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One weight tensor as the file stores it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    byte_count: int


def read_info(library: Library, model: int | None) -> ModelInfo:
    raw = library.new("rally_model_info")
    library.call("rally_model_get_info", model, byref(raw))
    values = {name: getattr(raw, name) for name in ModelInfo.__dataclass_fields__ if hasattr(raw, name)}
    values["kind"] = _library.KIND_NAMES[raw.kind]
    values["routing"] = _library.ROUTING_NAMES[raw.routing]
    values["dtype"] = _library.DTYPE_NAMES[raw.dtype]
    values["exit"] = _library.EXIT_NAMES[raw.exit]
    values["kv_policy"] = _library.KV_POLICY_NAMES[raw.kv_policy]
    values["exit_threshold"] = None if raw.exit_threshold < 0 else raw.exit_threshold
    values["has_tokenizer"] = bool(raw.has_tokenizer)
    values["score_rule"] = _library.SCORE_RULE_NAMES[raw.score_rule]
    values["has_score"] = bool(raw.has_score)
    values["labels"] = tuple(_text(library.c.rally_model_label(model, index)) for index in range(raw.num_labels))
    bounds = read_metadata(library, model).get("rally.int_score")
    values["int_score"] = tuple(map(float, bounds.split(","))) if bounds else None
    for name in ("bos_token_id", "eos_token_id", "score_index"):
        values[name] = None if values[name] < 0 else values[name]
    return ModelInfo(**values)


def read_metadata(library: Library, model: int | None) -> dict[str, str]:
    pairs = {}
    key, value = c_char_p(), c_char_p()
    for index in range(library.c.rally_model_metadata_count(model)):
        library.call("rally_model_metadata_at", model, index, byref(key), byref(value))
        pairs[_text(key.value)] = _text(value.value)
    return pairs


def read_tensors(library: Library, model: int | None) -> tuple[TensorInfo, ...]:
    tensors = []
    raw = library.new("rally_tensor_info")
    for index in range(library.c.rally_model_tensor_count(model)):
        library.call("rally_model_tensor_at", model, index, byref(raw))
        shape = tuple(raw.shape[: raw.rank])
        tensors.append(TensorInfo(_text(raw.name), _text(raw.dtype), shape, raw.byte_count))
    return tuple(tensors)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
