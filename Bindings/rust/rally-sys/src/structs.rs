//! The structs, each as the header has it.

use crate::codes::*;
use crate::handles::*;
use std::ffi::{c_char, c_void};

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
