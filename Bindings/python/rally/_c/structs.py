"""Structs and callbacks of the C interface.

Written by `make generate` from include/rally.h: change the header, not this file.
"""

from __future__ import annotations

from ctypes import (
    CFUNCTYPE,
    Structure,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)

# Arrays are addresses: NumPy owns the memory, the caller keeps it alive for the length of the call.
Address = c_void_p
Handle = c_void_p

# One line of text, without a newline; valid during the callback.
LogCallback = CFUNCTYPE(None, c_void_p, c_int, c_char_p)

# `done` of `total` units of work (bytes while a model opens, tokens while rows run). A call of several steps, such as
# preparing or opening through a cache_folder, begins again with each. Return non-zero to cancel.
ProgressCallback = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)

# Sees, and may change, the logits of all requests of this function and user that draw a token now: a sampler or grammar
# of your own. rows: [row_count], valid during the callback, which may not change anything but values. Return 0 to go
# on, anything else to end these requests, with RALLY_FINISH_CANCELLED. A row without a number above -INFINITY ends its
# request: RALLY_FINISH_STOP, without a token; NaN is no number.
LogitsCallback = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)

# Return 0 to go on, 1 to end this sequence, 2 to end all.
EventCallback = CFUNCTYPE(c_int32, c_void_p, c_void_p)


class Error(Structure):
    """Why a call failed: a code for programs, a line for people."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("code", c_int),
        ("message", c_char * 1020),
    ]


class ModelOptions(Structure):
    """How a model is opened."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("dtype", c_int),
        ("threads", c_uint32),
        ("max_file_bytes", c_uint64),
        ("max_tensor_bytes", c_uint64),
        ("progress", ProgressCallback),
        ("progress_user", Address),
        ("log", LogCallback),
        ("log_user", Address),
        ("cache_folder", c_char_p),
        ("share_weights", c_int),
        ("pool", Handle),
        ("max_memory_bytes", c_uint64),
    ]


class PrepareOptions(Structure):
    """How rally_model_prepare writes a file."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("dtype", c_int),
        ("threads", c_uint32),
        ("progress", ProgressCallback),
        ("progress_user", Address),
        ("calibration_text", c_char_p),
        ("calibration_text_size", c_size_t),
    ]


class QuantizeOptions(Structure):
    """How rally_quantize stores matrices."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("dtype", c_int),
        ("progress", ProgressCallback),
        ("progress_user", Address),
        ("calibration_text", c_char_p),
        ("calibration_text_size", c_size_t),
    ]


class ModelInfo(Structure):
    """What a model is."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("kind", c_int),
        ("routing", c_int),
        ("dtype", c_int),
        ("vocab_size", c_int32),
        ("hidden_size", c_int32),
        ("num_attention_heads", c_int32),
        ("num_key_value_heads", c_int32),
        ("head_dim", c_int32),
        ("intermediate_size", c_int32),
        ("max_position_embeddings", c_int32),
        ("num_layers", c_int32),
        ("num_effective_layers", c_int32),
        ("num_recursion", c_int32),
        ("bos_token_id", c_int32),
        ("eos_token_id", c_int32),
        ("has_tokenizer", c_int32),
        ("parameter_count", c_uint64),
        ("effective_parameter_count", c_uint64),
        ("weight_bytes", c_uint64),
        ("kv_bytes_per_token", c_uint64),
        ("exit", c_int),
        ("kv_policy", c_int),
        ("exit_threshold", c_double),
        ("num_labels", c_int32),
        ("score_rule", c_int),
        ("has_score", c_int32),
        ("score_index", c_int32),
    ]


class TensorInfo(Structure):
    """What a weight tensor is."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("dtype", c_char_p),
        ("rank", c_int32),
        ("shape", c_int64 * 2),
        ("byte_count", c_uint64),
    ]


class TokenizerOptions(Structure):
    """How text becomes tokens, and tokens text."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("add_bos", c_int),
        ("add_eos", c_int),
        ("parse_special", c_int),
        ("skip_special", c_int),
    ]


class RunnerOptions(Structure):
    """How a runner is opened."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("threads", c_uint32),
        ("max_batch_tokens", c_uint32),
        ("progress", ProgressCallback),
        ("progress_user", Address),
        ("cache_dtype", c_int),
        ("pool", Handle),
        ("max_memory_bytes", c_uint64),
    ]


class RunOptions(Structure):
    """How rally_run computes."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("selection", c_int),
        ("max_depth", c_uint32),
        ("timeout_seconds", c_double),
        ("target_depth", c_double),
        ("exit_threshold", c_double),
        ("exit_from", Address),
        ("min_depth", c_uint32),
        ("kv_policy", c_int),
    ]


class Outputs(Structure):
    """What rally_run shall compute: set the pointers that are wanted, leave the others NULL. N is the number of
    tokens of all rows, V vocab_size, D hidden_size. Token i is the i-th of `tokens`.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("positions", Address),
        ("position_count", c_size_t),
        ("logits", Address),
        ("hidden", Address),
        ("targets", Address),
        ("logprobs", Address),
        ("depths", Address),
    ]


class RateOptions(Structure):
    """How rally_rate computes."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("squash", c_int),
        ("timeout_seconds", c_double),
        ("probabilities", c_int),
        ("normalize", c_int),
    ]


class DocumentOptions(Structure):
    """How documents are cut into windows and scored."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("window_tokens", c_size_t),
        ("stride_tokens", c_size_t),
        ("max_windows", c_size_t),
        ("squash", c_int),
        ("timeout_seconds", c_double),
        ("reading", c_int),
        ("join", c_int),
        ("characters", c_size_t),
        ("parse_special", c_int),
    ]


class DocumentScores(Structure):
    """Where rally_rate_documents writes; a NULL pointer: not wanted. Windows of row i are window_offsets[i] ... [i +
    1] - 1.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("mean", Address),
        ("minimum", Address),
        ("coverage", Address),
        ("window_scores", Address),
        ("window_capacity", c_size_t),
        ("window_offsets", Address),
        ("score", Address),
        ("int_score", Address),
        ("outputs", Address),
    ]


class LabelOptions(Structure):
    """How documents are read that become scores."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("squash", c_int),
        ("row_tokens", c_size_t),
        ("window_tokens", c_size_t),
        ("stride_tokens", c_size_t),
        ("max_windows", c_size_t),
        ("more", c_char_p),
    ]


class Cascade(Structure):
    """Two raters for one cut: a cheap one reads every point and decides what is clear, an expensive one reads only
    the band around the cut. rally_cascade_choose finds the band on a sample that both have read, so that a cut at
    `discard` decides on at least the share `agreement` of all points as the expensive rater alone would, with the
    stated confidence. rally_cascade_scores then makes one score of both; the cut is rally_select_top of these.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("lower", c_float),
        ("upper", c_float),
        ("middle", c_float),
        ("spread", c_float),
        ("agreement", c_double),
        ("observed", c_double),
        ("band", c_double),
        ("discard", c_double),
        ("confidence", c_double),
        ("sample_count", c_size_t),
    ]


class DistributionInfo(Structure):
    """What a distribution is of, and how exact."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("label", c_char_p),
        ("capacity", c_size_t),
        ("count", c_uint64),
        ("minimum", c_float),
        ("maximum", c_float),
        ("rank_error", c_double),
    ]


class Logits(Structure):
    """A row of logits before a token is drawn from it."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("request", c_size_t),
        ("user", Address),
        ("values", Address),
        ("count", c_size_t),
        ("tokens", Address),
        ("token_count", c_size_t),
        ("prompt_count", c_size_t),
        ("depth", c_int32),
    ]


class Request(Structure):
    """One sequence to be continued."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("tokens", Address),
        ("token_count", c_size_t),
        ("max_tokens", c_size_t),
        ("temperature", c_float),
        ("top_k", c_int32),
        ("top_p", c_float),
        ("min_p", c_float),
        ("seed", c_uint64),
        ("stop_tokens", Address),
        ("stop_token_count", c_size_t),
        ("stop_at_eos", c_int),
        ("max_depth", c_uint32),
        ("target_depth", c_double),
        ("repetition_penalty", c_float),
        ("presence_penalty", c_float),
        ("frequency_penalty", c_float),
        ("bias_tokens", Address),
        ("bias_values", Address),
        ("bias_count", c_size_t),
        ("stop_strings", Address),
        ("stop_string_count", c_size_t),
        ("top_logprobs", c_uint32),
        ("priority", c_int32),
        ("include_stop", c_int),
        ("skip_special", c_int),
        ("exit_threshold", c_double),
        ("exit_from", c_int64),
        ("min_depth", c_uint32),
        ("kv_policy", c_int),
        ("user", Address),
        ("timeout_seconds", c_double),
        ("on_logits", LogitsCallback),
        ("on_logits_user", Address),
    ]


class Event(Structure):
    """One generated token, or (token = -1) the end of a sequence between two tokens: cancelled, at its deadline, or
    with all tokens forbidden.

    The texts of a request's events, one after the other, are its text: decoded tokens without the stop string
    that ended them, and without what follows it in its token. What may still become a stop string, or is not yet
    a whole character, comes with a later event, at the latest with the last. Stop strings are looked for in that
    text alone, not in the prompt, and in special tokens where these appear in it. The one that is complete first
    counts; of several complete at the same byte the longest.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("request", c_size_t),
        ("index", c_size_t),
        ("token", c_int32),
        ("depth", c_int32),
        ("logprob", c_float),
        ("finish_reason", c_int),
        ("stop_string", c_int32),
        ("top_count", c_size_t),
        ("top_tokens", Address),
        ("top_logprobs", Address),
        ("text", c_char_p),
        ("text_length", c_size_t),
        ("cut_length", c_size_t),
        ("user", Address),
    ]


class Generation(Structure):
    """Where the tokens go when no callback is wanted, or in addition to one. `stride` is the number of places per
    request.
    """

    _fields_ = [
        ("struct_size", c_size_t),
        ("stride", c_size_t),
        ("tokens", Address),
        ("depths", Address),
        ("logprobs", Address),
        ("token_counts", Address),
        ("finish_reasons", Address),
        ("prompt_depths", Address),
        ("timeout_seconds", c_double),
        ("stop_strings", Address),
        ("cut_lengths", Address),
    ]


class EngineOptions(Structure):
    """How an engine is opened."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("threads", c_uint32),
        ("max_step_tokens", c_uint32),
        ("max_sequences", c_uint32),
        ("cache_bytes", c_uint64),
        ("batching", c_int),
        ("share_prefixes", c_int),
        ("max_queue", c_uint32),
        ("cache_dtype", c_int),
        ("pool", Handle),
        ("max_memory_bytes", c_uint64),
    ]


class LineageOptions(Structure):
    """How models are compared."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("permutations", c_uint64),
        ("seed", c_uint64),
        ("threads", c_uint32),
        ("progress", ProgressCallback),
        ("progress_user", Address),
    ]


class Matrix(Structure):
    """A matrix whose rows are hidden units. Those called "head" or "lm_head" are the output head."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("set", c_char_p),
        ("data", Address),
        ("rows", c_size_t),
        ("columns", c_size_t),
    ]


class LineageResult(Structure):
    """What a report says of the two models as a whole."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("verdict", c_int),
        ("p", c_double),
        ("rho", c_double),
        ("permutations", c_uint64),
        ("seed", c_uint64),
        ("tensor_count", c_size_t),
        ("set_count", c_size_t),
        ("head_count", c_size_t),
    ]


class LineageEntry(Structure):
    """What a report says of one matrix, or of one set of units."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("set", c_char_p),
        ("units", c_size_t),
        ("all_units", c_size_t),
        ("rho", c_double),
        ("z", c_double),
        ("p", c_double),
        ("reached", c_uint64),
    ]


class ExposureScores(Structure):
    """Where rally_exposure writes; a NULL pointer: not wanted."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("jeffreys", Address),
        ("log_ratio", Address),
        ("token_counts", Address),
    ]


STRUCTS: dict[str, type[Structure]] = {
    "rally_error": Error,
    "rally_model_options": ModelOptions,
    "rally_prepare_options": PrepareOptions,
    "rally_quantize_options": QuantizeOptions,
    "rally_model_info": ModelInfo,
    "rally_tensor_info": TensorInfo,
    "rally_tokenizer_options": TokenizerOptions,
    "rally_runner_options": RunnerOptions,
    "rally_run_options": RunOptions,
    "rally_outputs": Outputs,
    "rally_rate_options": RateOptions,
    "rally_document_options": DocumentOptions,
    "rally_document_scores": DocumentScores,
    "rally_label_options": LabelOptions,
    "rally_cascade": Cascade,
    "rally_distribution_info": DistributionInfo,
    "rally_logits": Logits,
    "rally_request": Request,
    "rally_event": Event,
    "rally_generation": Generation,
    "rally_engine_options": EngineOptions,
    "rally_lineage_options": LineageOptions,
    "rally_matrix": Matrix,
    "rally_lineage_result": LineageResult,
    "rally_lineage_entry": LineageEntry,
    "rally_exposure_scores": ExposureScores,
}
