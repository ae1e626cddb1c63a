//! The C interface of Rally, declared by hand after `rally.h`, which is the manual.
//!
//! Use the crate `rally` unless you need the raw calls. The structs are compared with the library's own
//! `rally_abi_layout` by a test.

#![allow(non_camel_case_types)]
#![deny(missing_docs)]

use std::ffi::{c_char, c_void};

/// What a call answers.
pub type rally_status = i32;
/// `RALLY_OK` of [`rally_status`].
pub const RALLY_OK: rally_status = 0;
/// `RALLY_INVALID_ARGUMENT` of [`rally_status`].
pub const RALLY_INVALID_ARGUMENT: rally_status = 1;
/// `RALLY_INVALID_TOKEN` of [`rally_status`].
pub const RALLY_INVALID_TOKEN: rally_status = 2;
/// `RALLY_EMPTY_INPUT` of [`rally_status`].
pub const RALLY_EMPTY_INPUT: rally_status = 3;
/// `RALLY_CONTEXT_EXCEEDED` of [`rally_status`].
pub const RALLY_CONTEXT_EXCEEDED: rally_status = 4;
/// `RALLY_WRONG_KIND` of [`rally_status`].
pub const RALLY_WRONG_KIND: rally_status = 5;
/// `RALLY_BUFFER_TOO_SMALL` of [`rally_status`].
pub const RALLY_BUFFER_TOO_SMALL: rally_status = 6;
/// `RALLY_WRONG_MODEL` of [`rally_status`].
pub const RALLY_WRONG_MODEL: rally_status = 7;
/// `RALLY_MISMATCH` of [`rally_status`].
pub const RALLY_MISMATCH: rally_status = 8;
/// `RALLY_CLOSED` of [`rally_status`].
pub const RALLY_CLOSED: rally_status = 10;
/// `RALLY_BUSY` of [`rally_status`].
pub const RALLY_BUSY: rally_status = 11;
/// `RALLY_FORKED` of [`rally_status`].
pub const RALLY_FORKED: rally_status = 12;
/// `RALLY_CANCELLED` of [`rally_status`].
pub const RALLY_CANCELLED: rally_status = 13;
/// `RALLY_DEADLINE_EXCEEDED` of [`rally_status`].
pub const RALLY_DEADLINE_EXCEEDED: rally_status = 14;
/// `RALLY_OUT_OF_MEMORY` of [`rally_status`].
pub const RALLY_OUT_OF_MEMORY: rally_status = 15;
/// `RALLY_LIMIT_EXCEEDED` of [`rally_status`].
pub const RALLY_LIMIT_EXCEEDED: rally_status = 16;
/// `RALLY_UNSUPPORTED` of [`rally_status`].
pub const RALLY_UNSUPPORTED: rally_status = 17;
/// `RALLY_FILE_NOT_FOUND` of [`rally_status`].
pub const RALLY_FILE_NOT_FOUND: rally_status = 20;
/// `RALLY_NOT_A_FILE` of [`rally_status`].
pub const RALLY_NOT_A_FILE: rally_status = 21;
/// `RALLY_EMPTY_FILE` of [`rally_status`].
pub const RALLY_EMPTY_FILE: rally_status = 22;
/// `RALLY_IO` of [`rally_status`].
pub const RALLY_IO: rally_status = 23;
/// `RALLY_CORRUPT_FILE` of [`rally_status`].
pub const RALLY_CORRUPT_FILE: rally_status = 30;
/// `RALLY_NOT_A_RALLY_MODEL` of [`rally_status`].
pub const RALLY_NOT_A_RALLY_MODEL: rally_status = 31;
/// `RALLY_UNSUPPORTED_VERSION` of [`rally_status`].
pub const RALLY_UNSUPPORTED_VERSION: rally_status = 32;
/// `RALLY_MISSING_KEY` of [`rally_status`].
pub const RALLY_MISSING_KEY: rally_status = 33;
/// `RALLY_UNKNOWN_KEY` of [`rally_status`].
pub const RALLY_UNKNOWN_KEY: rally_status = 34;
/// `RALLY_DUPLICATE_KEY` of [`rally_status`].
pub const RALLY_DUPLICATE_KEY: rally_status = 35;
/// `RALLY_INVALID_VALUE` of [`rally_status`].
pub const RALLY_INVALID_VALUE: rally_status = 36;
/// `RALLY_MISSING_TENSOR` of [`rally_status`].
pub const RALLY_MISSING_TENSOR: rally_status = 37;
/// `RALLY_UNKNOWN_TENSOR` of [`rally_status`].
pub const RALLY_UNKNOWN_TENSOR: rally_status = 38;
/// `RALLY_DUPLICATE_TENSOR` of [`rally_status`].
pub const RALLY_DUPLICATE_TENSOR: rally_status = 39;
/// `RALLY_INVALID_SHAPE` of [`rally_status`].
pub const RALLY_INVALID_SHAPE: rally_status = 40;
/// `RALLY_INVALID_DATA_TYPE` of [`rally_status`].
pub const RALLY_INVALID_DATA_TYPE: rally_status = 41;
/// `RALLY_TRUNCATED_DATA` of [`rally_status`].
pub const RALLY_TRUNCATED_DATA: rally_status = 42;
/// `RALLY_NOT_FINITE` of [`rally_status`].
pub const RALLY_NOT_FINITE: rally_status = 43;
/// `RALLY_EXTERNAL_DATA_FORBIDDEN` of [`rally_status`].
pub const RALLY_EXTERNAL_DATA_FORBIDDEN: rally_status = 44;
/// `RALLY_EXTERNAL_DATA_MISSING` of [`rally_status`].
pub const RALLY_EXTERNAL_DATA_MISSING: rally_status = 45;
/// `RALLY_EXTERNAL_DATA_RANGE` of [`rally_status`].
pub const RALLY_EXTERNAL_DATA_RANGE: rally_status = 46;
/// `RALLY_INVALID_TOKENIZER` of [`rally_status`].
pub const RALLY_INVALID_TOKENIZER: rally_status = 47;

/// Element type of the matrix products.
pub type rally_dtype = i32;
/// `RALLY_DTYPE_AUTO` of [`rally_dtype`].
pub const RALLY_DTYPE_AUTO: rally_dtype = 0;
/// `RALLY_DTYPE_F32` of [`rally_dtype`].
pub const RALLY_DTYPE_F32: rally_dtype = 1;
/// `RALLY_DTYPE_BF16` of [`rally_dtype`].
pub const RALLY_DTYPE_BF16: rally_dtype = 2;
/// `RALLY_DTYPE_INT8` of [`rally_dtype`].
pub const RALLY_DTYPE_INT8: rally_dtype = 3;

/// How important a line of the log is.
pub type rally_log_level = i32;
/// `RALLY_LOG_DEBUG` of [`rally_log_level`].
pub const RALLY_LOG_DEBUG: rally_log_level = 0;
/// `RALLY_LOG_INFO` of [`rally_log_level`].
pub const RALLY_LOG_INFO: rally_log_level = 1;
/// `RALLY_LOG_WARNING` of [`rally_log_level`].
pub const RALLY_LOG_WARNING: rally_log_level = 2;

/// What a model is for.
pub type rally_kind = i32;
/// `RALLY_KIND_LM` of [`rally_kind`].
pub const RALLY_KIND_LM: rally_kind = 0;
/// `RALLY_KIND_RATER` of [`rally_kind`].
pub const RALLY_KIND_RATER: rally_kind = 1;

/// How a model chooses the depth of a token.
pub type rally_routing = i32;
/// `RALLY_ROUTING_NONE` of [`rally_routing`].
pub const RALLY_ROUTING_NONE: rally_routing = 0;
/// `RALLY_ROUTING_EXPERT` of [`rally_routing`].
pub const RALLY_ROUTING_EXPERT: rally_routing = 1;
/// `RALLY_ROUTING_TOKEN` of [`rally_routing`].
pub const RALLY_ROUTING_TOKEN: rally_routing = 2;

/// What the model file says, or the caller's own wish.
pub type rally_switch = i32;
/// `RALLY_DEFAULT` of [`rally_switch`].
pub const RALLY_DEFAULT: rally_switch = -1;
/// `RALLY_OFF` of [`rally_switch`].
pub const RALLY_OFF: rally_switch = 0;
/// `RALLY_ON` of [`rally_switch`].
pub const RALLY_ON: rally_switch = 1;

/// How an expert-choice model selects the tokens that go on.
pub type rally_selection = i32;
/// `RALLY_SELECT_THRESHOLD` of [`rally_selection`].
pub const RALLY_SELECT_THRESHOLD: rally_selection = 0;
/// `RALLY_SELECT_TOPK` of [`rally_selection`].
pub const RALLY_SELECT_TOPK: rally_selection = 1;

/// How an engine puts tokens together.
pub type rally_batching = i32;
/// `RALLY_BATCH_DEPTH` of [`rally_batching`].
pub const RALLY_BATCH_DEPTH: rally_batching = 0;
/// `RALLY_BATCH_SEQUENCE` of [`rally_batching`].
pub const RALLY_BATCH_SEQUENCE: rally_batching = 1;

/// Why a sequence ended.
pub type rally_finish_reason = i32;
/// `RALLY_NOT_FINISHED` of [`rally_finish_reason`].
pub const RALLY_NOT_FINISHED: rally_finish_reason = 0;
/// `RALLY_FINISH_STOP` of [`rally_finish_reason`].
pub const RALLY_FINISH_STOP: rally_finish_reason = 1;
/// `RALLY_FINISH_LIMIT` of [`rally_finish_reason`].
pub const RALLY_FINISH_LIMIT: rally_finish_reason = 2;
/// `RALLY_FINISH_CONTEXT_FULL` of [`rally_finish_reason`].
pub const RALLY_FINISH_CONTEXT_FULL: rally_finish_reason = 3;
/// `RALLY_FINISH_CANCELLED` of [`rally_finish_reason`].
pub const RALLY_FINISH_CANCELLED: rally_finish_reason = 4;

/// A model that was opened. Opaque.
#[repr(C)]
pub struct rally_model {
    _private: [u8; 0],
}

/// Worker threads and workspaces. Opaque.
#[repr(C)]
pub struct rally_runner {
    _private: [u8; 0],
}

/// Continues sequences that come and go. Opaque.
#[repr(C)]
pub struct rally_engine {
    _private: [u8; 0],
}

/// The distribution of any number of scores. Opaque.
#[repr(C)]
pub struct rally_distribution {
    _private: [u8; 0],
}

/// A stream of tokens that becomes text. Opaque.
#[repr(C)]
pub struct rally_decoder {
    _private: [u8; 0],
}

/// What a lineage test says.
pub type rally_lineage_verdict = i32;
/// `RALLY_LINEAGE_NOT_SEEN` of [`rally_lineage_verdict`].
pub const RALLY_LINEAGE_NOT_SEEN: rally_lineage_verdict = 0;
/// `RALLY_LINEAGE_SHARED` of [`rally_lineage_verdict`].
pub const RALLY_LINEAGE_SHARED: rally_lineage_verdict = 1;
/// `RALLY_LINEAGE_PARTIAL` of [`rally_lineage_verdict`].
pub const RALLY_LINEAGE_PARTIAL: rally_lineage_verdict = 2;
/// `RALLY_LINEAGE_STRONG` of [`rally_lineage_verdict`].
pub const RALLY_LINEAGE_STRONG: rally_lineage_verdict = 3;

/// What the entries of a lineage report are about.
pub type rally_lineage_kind = i32;
/// `RALLY_LINEAGE_TENSORS` of [`rally_lineage_kind`].
pub const RALLY_LINEAGE_TENSORS: rally_lineage_kind = 0;
/// `RALLY_LINEAGE_SETS` of [`rally_lineage_kind`].
pub const RALLY_LINEAGE_SETS: rally_lineage_kind = 1;
/// `RALLY_LINEAGE_HEAD` of [`rally_lineage_kind`].
pub const RALLY_LINEAGE_HEAD: rally_lineage_kind = 2;

/// One line of text, valid during the callback.
pub type rally_log_callback =
    Option<unsafe extern "C" fn(user: *mut c_void, level: rally_log_level, message: *const c_char)>;
/// `done` of `total` units of work; non-zero cancels.
pub type rally_progress_callback = Option<unsafe extern "C" fn(user: *mut c_void, done: u64, total: u64) -> i32>;
/// 0 goes on, 1 ends this sequence, 2 ends all.
pub type rally_event_callback = Option<unsafe extern "C" fn(user: *mut c_void, event: *const rally_event) -> i32>;

/// Why a call failed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_error {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `code` of the header.
    pub code: rally_status,
    /// `message` of the header.
    pub message: [c_char; 1020],
}

/// How a model is opened.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_model_options {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `dtype` of the header.
    pub dtype: rally_dtype,
    /// `threads` of the header.
    pub threads: u32,
    /// `max_file_bytes` of the header.
    pub max_file_bytes: u64,
    /// `max_tensor_bytes` of the header.
    pub max_tensor_bytes: u64,
    /// `progress` of the header.
    pub progress: rally_progress_callback,
    /// `progress_user` of the header.
    pub progress_user: *mut c_void,
    /// `log` of the header.
    pub log: rally_log_callback,
    /// `log_user` of the header.
    pub log_user: *mut c_void,
}

/// How a model is stored anew.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_quantize_options {
    /// `struct_size` of the header.
    pub struct_size: usize,
    /// `dtype` of the header.
    pub dtype: rally_dtype,
    /// `progress` of the header.
    pub progress: rally_progress_callback,
    /// `progress_user` of the header.
    pub progress_user: *mut c_void,
}

/// What a model is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_model_info {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `kind` of the header.
    pub kind: rally_kind,
    /// `routing` of the header.
    pub routing: rally_routing,
    /// `dtype` of the header.
    pub dtype: rally_dtype,
    /// `vocab_size` of the header.
    pub vocab_size: i32,
    /// `hidden_size` of the header.
    pub hidden_size: i32,
    /// `num_attention_heads` of the header.
    pub num_attention_heads: i32,
    /// `num_key_value_heads` of the header.
    pub num_key_value_heads: i32,
    /// `head_dim` of the header.
    pub head_dim: i32,
    /// `intermediate_size` of the header.
    pub intermediate_size: i32,
    /// `max_position_embeddings` of the header.
    pub max_position_embeddings: i32,
    /// `num_layers` of the header.
    pub num_layers: i32,
    /// `num_effective_layers` of the header.
    pub num_effective_layers: i32,
    /// `num_recursion` of the header.
    pub num_recursion: i32,
    /// `bos_token_id` of the header.
    pub bos_token_id: i32,
    /// `eos_token_id` of the header.
    pub eos_token_id: i32,
    /// `has_tokenizer` of the header.
    pub has_tokenizer: i32,
    /// `parameter_count` of the header.
    pub parameter_count: u64,
    /// `effective_parameter_count` of the header.
    pub effective_parameter_count: u64,
    /// `weight_bytes` of the header.
    pub weight_bytes: u64,
    /// `kv_bytes_per_token` of the header.
    pub kv_bytes_per_token: u64,
}

/// What a weight tensor is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_tensor_info {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `name` of the header.
    pub name: *const c_char,
    /// `dtype` of the header.
    pub dtype: *const c_char,
    /// `rank` of the header.
    pub rank: i32,
    /// `shape` of the header.
    pub shape: [i64; 2],
    /// `byte_count` of the header.
    pub byte_count: u64,
}

/// How text is encoded and decoded.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_tokenizer_options {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `add_bos` of the header.
    pub add_bos: rally_switch,
    /// `add_eos` of the header.
    pub add_eos: rally_switch,
    /// `parse_special` of the header.
    pub parse_special: rally_switch,
    /// `skip_special` of the header.
    pub skip_special: rally_switch,
}

/// How a runner is opened.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_runner_options {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `threads` of the header.
    pub threads: u32,
    /// `max_batch_tokens` of the header.
    pub max_batch_tokens: u32,
    /// `progress` of the header.
    pub progress: rally_progress_callback,
    /// `progress_user` of the header.
    pub progress_user: *mut c_void,
}

/// How rows are run.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_run_options {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `selection` of the header.
    pub selection: rally_selection,
    /// `max_depth` of the header.
    pub max_depth: u32,
    /// `timeout_seconds` of the header.
    pub timeout_seconds: f64,
    /// `target_depth` of the header.
    pub target_depth: f64,
}

/// What `rally_run` computes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_outputs {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `positions` of the header.
    pub positions: *const usize,
    /// `position_count` of the header.
    pub position_count: usize,
    /// `logits` of the header.
    pub logits: *mut f32,
    /// `hidden` of the header.
    pub hidden: *mut f32,
    /// `targets` of the header.
    pub targets: *const i32,
    /// `logprobs` of the header.
    pub logprobs: *mut f32,
    /// `depths` of the header.
    pub depths: *mut i32,
}

/// How rows are rated.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_rate_options {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `squash` of the header.
    pub squash: rally_switch,
    /// `timeout_seconds` of the header.
    pub timeout_seconds: f64,
}

/// How documents are cut into windows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_document_options {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `window_tokens` of the header.
    pub window_tokens: usize,
    /// `stride_tokens` of the header.
    pub stride_tokens: usize,
    /// `max_windows` of the header.
    pub max_windows: usize,
    /// `squash` of the header.
    pub squash: rally_switch,
    /// `timeout_seconds` of the header.
    pub timeout_seconds: f64,
}

/// Where the scores of documents go.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_document_scores {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `mean` of the header.
    pub mean: *mut f32,
    /// `minimum` of the header.
    pub minimum: *mut f32,
    /// `coverage` of the header.
    pub coverage: *mut f32,
    /// `window_scores` of the header.
    pub window_scores: *mut f32,
    /// `window_capacity` of the header.
    pub window_capacity: usize,
    /// `window_offsets` of the header.
    pub window_offsets: *mut usize,
}

/// What a distribution is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_distribution_info {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `label` of the header.
    pub label: *const c_char,
    /// `capacity` of the header.
    pub capacity: usize,
    /// `count` of the header.
    pub count: u64,
    /// `minimum` of the header.
    pub minimum: f32,
    /// `maximum` of the header.
    pub maximum: f32,
    /// `rank_error` of the header.
    pub rank_error: f64,
}

/// A report of a lineage test that was opened.
#[repr(C)]
pub struct rally_lineage_report {
    _private: [u8; 0],
}

/// How a lineage test is run.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_lineage_options {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `permutations` of the header.
    pub permutations: u64,
    /// `seed` of the header.
    pub seed: u64,
    /// `threads` of the header.
    pub threads: u32,
    /// `progress` of the header.
    pub progress: rally_progress_callback,
    /// `progress_user` of the header.
    pub progress_user: *mut c_void,
}

/// A matrix whose rows are hidden units.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_matrix {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `name` of the header.
    pub name: *const c_char,
    /// `set` of the header.
    pub set: *const c_char,
    /// `data` of the header.
    pub data: *const f32,
    /// `rows` of the header.
    pub rows: usize,
    /// `columns` of the header.
    pub columns: usize,
}

/// What a lineage test found.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_lineage_result {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `verdict` of the header.
    pub verdict: rally_lineage_verdict,
    /// `p` of the header.
    pub p: f64,
    /// `rho` of the header.
    pub rho: f64,
    /// `permutations` of the header.
    pub permutations: u64,
    /// `seed` of the header.
    pub seed: u64,
    /// `tensor_count` of the header.
    pub tensor_count: usize,
    /// `set_count` of the header.
    pub set_count: usize,
    /// `head_count` of the header.
    pub head_count: usize,
}

/// How well the units of some matrices match.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_lineage_entry {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `name` of the header.
    pub name: *const c_char,
    /// `set` of the header.
    pub set: *const c_char,
    /// `units` of the header.
    pub units: usize,
    /// `all_units` of the header.
    pub all_units: usize,
    /// `rho` of the header.
    pub rho: f64,
    /// `z` of the header.
    pub z: f64,
    /// `p` of the header.
    pub p: f64,
    /// `reached` of the header.
    pub reached: u64,
}

/// Where the scores of exposure go.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_exposure_scores {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `jeffreys` of the header.
    pub jeffreys: *mut f64,
    /// `log_ratio` of the header.
    pub log_ratio: *mut f64,
    /// `token_counts` of the header.
    pub token_counts: *mut usize,
}

/// One sequence to be continued.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_request {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `tokens` of the header.
    pub tokens: *const i32,
    /// `token_count` of the header.
    pub token_count: usize,
    /// `max_tokens` of the header.
    pub max_tokens: usize,
    /// `temperature` of the header.
    pub temperature: f32,
    /// `top_k` of the header.
    pub top_k: i32,
    /// `top_p` of the header.
    pub top_p: f32,
    /// `min_p` of the header.
    pub min_p: f32,
    /// `seed` of the header.
    pub seed: u64,
    /// `stop_tokens` of the header.
    pub stop_tokens: *const i32,
    /// `stop_token_count` of the header.
    pub stop_token_count: usize,
    /// `stop_at_eos` of the header.
    pub stop_at_eos: rally_switch,
    /// `max_depth` of the header.
    pub max_depth: u32,
    /// `target_depth` of the header.
    pub target_depth: f64,
    /// `repetition_penalty` of the header.
    pub repetition_penalty: f32,
    /// `presence_penalty` of the header.
    pub presence_penalty: f32,
    /// `frequency_penalty` of the header.
    pub frequency_penalty: f32,
    /// `bias_tokens` of the header.
    pub bias_tokens: *const i32,
    /// `bias_values` of the header.
    pub bias_values: *const f32,
    /// `bias_count` of the header.
    pub bias_count: usize,
    /// `stop_strings` of the header.
    pub stop_strings: *const *const c_char,
    /// `stop_string_count` of the header.
    pub stop_string_count: usize,
    /// `top_logprobs` of the header.
    pub top_logprobs: u32,
    /// `priority` of the header.
    pub priority: i32,
}

/// One generated token, or the end of a sequence.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_event {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `request` of the header.
    pub request: usize,
    /// `index` of the header.
    pub index: usize,
    /// `token` of the header.
    pub token: i32,
    /// `depth` of the header.
    pub depth: i32,
    /// `logprob` of the header.
    pub logprob: f32,
    /// `finish_reason` of the header.
    pub finish_reason: rally_finish_reason,
    /// `stop_string` of the header.
    pub stop_string: i32,
    /// `top_count` of the header.
    pub top_count: usize,
    /// `top_tokens` of the header.
    pub top_tokens: *const i32,
    /// `top_logprobs` of the header.
    pub top_logprobs: *const f32,
}

/// Where generated tokens go.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_generation {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `stride` of the header.
    pub stride: usize,
    /// `tokens` of the header.
    pub tokens: *mut i32,
    /// `depths` of the header.
    pub depths: *mut i32,
    /// `logprobs` of the header.
    pub logprobs: *mut f32,
    /// `token_counts` of the header.
    pub token_counts: *mut usize,
    /// `finish_reasons` of the header.
    pub finish_reasons: *mut rally_finish_reason,
    /// `prompt_depths` of the header.
    pub prompt_depths: *mut i32,
    /// `timeout_seconds` of the header.
    pub timeout_seconds: f64,
}

/// How an engine is opened.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_engine_options {
    /// Size of the struct in bytes.
    pub struct_size: usize,
    /// `threads` of the header.
    pub threads: u32,
    /// `max_step_tokens` of the header.
    pub max_step_tokens: u32,
    /// `max_sequences` of the header.
    pub max_sequences: u32,
    /// `cache_bytes` of the header.
    pub cache_bytes: u64,
    /// `batching` of the header.
    pub batching: rally_batching,
    /// `share_prefixes` of the header.
    pub share_prefixes: rally_switch,
}

extern "C" {
    /// See `rally.h`.
    pub fn rally_version() -> *const c_char;
    /// See `rally.h`.
    pub fn rally_abi_layout() -> *const c_char;
    /// See `rally.h`.
    pub fn rally_instruction_set() -> *const c_char;
    /// See `rally.h`.
    pub fn rally_status_name(status: rally_status) -> *const c_char;
    /// See `rally.h`.
    pub fn rally_error_init(error: *mut rally_error, size: usize);
    /// See `rally.h`.
    pub fn rally_model_options_init(options: *mut rally_model_options, size: usize);
    /// See `rally.h`.
    pub fn rally_model_open(
        path: *const c_char,
        options: *const rally_model_options,
        model: *mut *mut rally_model,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_model_open_memory(
        data: *const c_void,
        size: usize,
        options: *const rally_model_options,
        model: *mut *mut rally_model,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_model_validate(
        path: *const c_char,
        options: *const rally_model_options,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_quantize_options_init(options: *mut rally_quantize_options, size: usize);
    /// See `rally.h`.
    pub fn rally_quantize(
        in_path: *const c_char,
        out_path: *const c_char,
        options: *const rally_quantize_options,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_model_close(model: *mut rally_model);
    /// See `rally.h`.
    pub fn rally_model_info_init(info: *mut rally_model_info, size: usize);
    /// See `rally.h`.
    pub fn rally_model_get_info(
        model: *const rally_model,
        info: *mut rally_model_info,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_model_metadata_count(model: *const rally_model) -> usize;
    /// See `rally.h`.
    pub fn rally_model_metadata_at(
        model: *const rally_model,
        index: usize,
        key: *mut *const c_char,
        value: *mut *const c_char,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_model_metadata_get(
        model: *const rally_model,
        key: *const c_char,
        value: *mut *const c_char,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_tensor_info_init(info: *mut rally_tensor_info, size: usize);
    /// See `rally.h`.
    pub fn rally_model_tensor_count(model: *const rally_model) -> usize;
    /// See `rally.h`.
    pub fn rally_model_tensor_at(
        model: *const rally_model,
        index: usize,
        info: *mut rally_tensor_info,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_tokenizer_options_init(options: *mut rally_tokenizer_options, size: usize);
    /// See `rally.h`.
    pub fn rally_encode(
        model: *const rally_model,
        text: *const c_char,
        length: usize,
        options: *const rally_tokenizer_options,
        tokens: *mut i32,
        capacity: usize,
        token_count: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decode(
        model: *const rally_model,
        tokens: *const i32,
        token_count: usize,
        options: *const rally_tokenizer_options,
        text: *mut c_char,
        capacity: usize,
        length: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decoder_open(
        model: *const rally_model,
        options: *const rally_tokenizer_options,
        decoder: *mut *mut rally_decoder,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decoder_push(
        decoder: *mut rally_decoder,
        token: i32,
        text: *mut c_char,
        capacity: usize,
        length: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decoder_finish(
        decoder: *mut rally_decoder,
        text: *mut c_char,
        capacity: usize,
        length: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decoder_close(decoder: *mut rally_decoder);
    /// See `rally.h`.
    pub fn rally_runner_options_init(options: *mut rally_runner_options, size: usize);
    /// See `rally.h`.
    pub fn rally_runner_open(
        model: *const rally_model,
        options: *const rally_runner_options,
        runner: *mut *mut rally_runner,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_runner_close(runner: *mut rally_runner);
    /// See `rally.h`.
    pub fn rally_runner_cancel(runner: *mut rally_runner);
    /// See `rally.h`.
    pub fn rally_runner_memory(
        runner: *const rally_runner,
        row_offsets: *const usize,
        row_count: usize,
        new_tokens: usize,
        bytes: *mut u64,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_run_options_init(options: *mut rally_run_options, size: usize);
    /// See `rally.h`.
    pub fn rally_outputs_init(outputs: *mut rally_outputs, size: usize);
    /// See `rally.h`.
    pub fn rally_run(
        runner: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_run_options,
        outputs: *const rally_outputs,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_rate_options_init(options: *mut rally_rate_options, size: usize);
    /// See `rally.h`.
    pub fn rally_rate(
        runner: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_rate_options,
        scores: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_document_options_init(options: *mut rally_document_options, size: usize);
    /// See `rally.h`.
    pub fn rally_document_scores_init(scores: *mut rally_document_scores, size: usize);
    /// See `rally.h`.
    pub fn rally_document_windows(
        model: *const rally_model,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_document_options,
        window_offsets: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_rate_documents(
        runner: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        options: *const rally_document_options,
        scores: *const rally_document_scores,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_draw_count(keep: usize, discard: f64, count: *mut usize, error: *mut rally_error) -> rally_status;
    /// See `rally.h`.
    pub fn rally_select_top(
        scores: *const f32,
        count: usize,
        keep: usize,
        indices: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_softmax_weights(
        scores: *const f32,
        count: usize,
        weights: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_acceptance(
        quantiles: *const f64,
        count: usize,
        batch: usize,
        keep: usize,
        probabilities: *mut f64,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_decide(
        ids: *const c_char,
        id_offsets: *const usize,
        probabilities: *const f64,
        count: usize,
        fingerprint: *const c_char,
        seed: u64,
        keeps: *mut u8,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_rating_cost(
        rater_parameters: f64,
        model_parameters: f64,
        discard: f64,
        cost: *mut f64,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_info_init(info: *mut rally_distribution_info, size: usize);
    /// See `rally.h`.
    pub fn rally_distribution_open(
        label: *const c_char,
        capacity: usize,
        distribution: *mut *mut rally_distribution,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_add(
        distribution: *mut rally_distribution,
        scores: *const f32,
        count: usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_merge(
        distribution: *mut rally_distribution,
        other: *const rally_distribution,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_cdf(
        distribution: *const rally_distribution,
        scores: *const f32,
        count: usize,
        quantiles: *mut f64,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_quantile(
        distribution: *const rally_distribution,
        quantiles: *const f64,
        count: usize,
        scores: *mut f32,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_get_info(
        distribution: *const rally_distribution,
        info: *mut rally_distribution_info,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_save(
        distribution: *const rally_distribution,
        data: *mut c_void,
        capacity: usize,
        size: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_load(
        data: *const c_void,
        size: usize,
        distribution: *mut *mut rally_distribution,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_distribution_close(distribution: *mut rally_distribution);
    /// See `rally.h`.
    pub fn rally_request_init(request: *mut rally_request, size: usize);
    /// See `rally.h`.
    pub fn rally_generation_init(generation: *mut rally_generation, size: usize);
    /// See `rally.h`.
    pub fn rally_generate(
        runner: *mut rally_runner,
        requests: *const rally_request,
        request_count: usize,
        on_token: rally_event_callback,
        user: *mut c_void,
        generation: *mut rally_generation,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_options_init(options: *mut rally_engine_options, size: usize);
    /// See `rally.h`.
    pub fn rally_engine_memory(
        model: *const rally_model,
        options: *const rally_engine_options,
        bytes: *mut u64,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_open(
        model: *const rally_model,
        options: *const rally_engine_options,
        engine: *mut *mut rally_engine,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_close(engine: *mut rally_engine);
    /// See `rally.h`.
    pub fn rally_engine_submit(
        engine: *mut rally_engine,
        request: *const rally_request,
        id: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_cancel(engine: *mut rally_engine, id: usize);
    /// See `rally.h`.
    pub fn rally_engine_cancel_all(engine: *mut rally_engine);
    /// See `rally.h`.
    pub fn rally_engine_step(
        engine: *mut rally_engine,
        on_event: rally_event_callback,
        user: *mut c_void,
        busy: *mut i32,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_run(
        engine: *mut rally_engine,
        on_event: rally_event_callback,
        user: *mut c_void,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_counter_count(engine: *const rally_engine) -> usize;
    /// See `rally.h`.
    pub fn rally_engine_counter_name(engine: *const rally_engine, index: usize) -> *const c_char;
    /// See `rally.h`.
    pub fn rally_engine_counters(
        engine: *mut rally_engine,
        values: *mut f64,
        capacity: usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_save(
        engine: *mut rally_engine,
        id: usize,
        data: *mut c_void,
        capacity: usize,
        size: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_engine_restore(
        engine: *mut rally_engine,
        data: *const c_void,
        size: usize,
        request: *const rally_request,
        id: *mut usize,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_lineage_verdict_text(verdict: rally_lineage_verdict) -> *const c_char;
    /// See `rally.h`.
    pub fn rally_lineage_options_init(options: *mut rally_lineage_options, size: usize);
    /// See `rally.h`.
    pub fn rally_matrix_init(matrix: *mut rally_matrix, size: usize);
    /// See `rally.h`.
    pub fn rally_lineage(
        a: *const c_char,
        b: *const c_char,
        options: *const rally_lineage_options,
        report: *mut *mut rally_lineage_report,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_lineage_matrices(
        a: *const rally_matrix,
        a_count: usize,
        b: *const rally_matrix,
        b_count: usize,
        options: *const rally_lineage_options,
        report: *mut *mut rally_lineage_report,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_lineage_close(report: *mut rally_lineage_report);
    /// See `rally.h`.
    pub fn rally_lineage_result_init(result: *mut rally_lineage_result, size: usize);
    /// See `rally.h`.
    pub fn rally_lineage_get_result(
        report: *const rally_lineage_report,
        result: *mut rally_lineage_result,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_lineage_entry_init(entry: *mut rally_lineage_entry, size: usize);
    /// See `rally.h`.
    pub fn rally_lineage_entry_at(
        report: *const rally_lineage_report,
        kind: rally_lineage_kind,
        index: usize,
        entry: *mut rally_lineage_entry,
        error: *mut rally_error,
    ) -> rally_status;
    /// See `rally.h`.
    pub fn rally_exposure_scores_init(scores: *mut rally_exposure_scores, size: usize);
    /// See `rally.h`.
    pub fn rally_exposure(
        teacher: *mut rally_runner,
        base: *mut rally_runner,
        tokens: *const i32,
        row_offsets: *const usize,
        row_count: usize,
        given: *const usize,
        scores: *const rally_exposure_scores,
        error: *mut rally_error,
    ) -> rally_status;
}
