//! The structs, each as the header has it.
//!
//! Written by `make generate` from include/rally.h: change the header, not this file.

use crate::codes::*;
use crate::handles::*;
use std::ffi::{c_char, c_void};

/// Why a call failed: a code for programs, a line for people.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_error {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// `code`.
    pub code: rally_status,
    /// One line, NUL-terminated, cut at a character where it is longer.
    pub message: [c_char; 1020],
}

/// How a model is opened.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_model_options {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// RALLY_DTYPE_AUTO (default).
    pub dtype: rally_dtype,
    /// That pack the weights; 0 (default): as many as this process may use.
    pub threads: u32,
    /// 0 (default): no limit but ONNX's own 2 GB for the part that is not external data.
    pub max_file_bytes: u64,
    /// 0 (default): no limit.
    pub max_tensor_bytes: u64,
    /// `progress`.
    pub progress: rally_progress_callback,
    /// `progress_user`.
    pub progress_user: *mut c_void,
    /// NULL (default): silent.
    pub log: rally_log_callback,
    /// `log_user`.
    pub log_user: *mut c_void,
    /// NULL (default): none. A folder of prepared files, made where it is missing from one that is there:
    /// rally_model_prepare.
    pub cache_folder: *const c_char,
    /// RALLY_DEFAULT (default) is ON: weights of a prepared file are mapped. OFF: copied into memory.
    pub share_weights: rally_switch,
    /// Whose threads pack the weights, with threads 0; NULL (default): threads of its own.
    pub pool: *const rally_pool,
    /// Of the model with all runners and engines on it; 0 (default): no limit. "Memory" below.
    pub max_memory_bytes: u64,
}

/// How rally_model_prepare writes a file.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_prepare_options {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// RALLY_DTYPE_AUTO (default): what the products are computed in.
    pub dtype: rally_dtype,
    /// That pack the weights; 0 (default): as many as this process may use.
    pub threads: u32,
    /// Bytes that were checked, packed or written.
    pub progress: rally_progress_callback,
    /// `progress_user`.
    pub progress_user: *mut c_void,
    /// NULL (default): none. As in rally_quantize_options: its result is prepared then.
    pub calibration_text: *const c_char,
    /// Bytes.
    pub calibration_text_size: usize,
}

/// How rally_quantize stores matrices.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_quantize_options {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// RALLY_DTYPE_INT8 (default), _Q4, _BF16 or _F32: how the matrices are stored.
    pub dtype: rally_dtype,
    /// Bytes of weights, each counted when it is checked and when it is stored.
    pub progress: rally_progress_callback,
    /// `progress_user`.
    pub progress_user: *mut c_void,
    /// NULL (default): none. UTF-8, with INT8 and Q4: what the model reads, to lose less.
    pub calibration_text: *const c_char,
    /// Bytes.
    pub calibration_text_size: usize,
}

/// What a model is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_model_info {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// `kind`.
    pub kind: rally_kind,
    /// `routing`.
    pub routing: rally_routing,
    /// In use, never AUTO.
    pub dtype: rally_dtype,
    /// V.
    pub vocab_size: i32,
    /// D.
    pub hidden_size: i32,
    /// H.
    pub num_attention_heads: i32,
    /// G.
    pub num_key_value_heads: i32,
    /// K.
    pub head_dim: i32,
    /// F.
    pub intermediate_size: i32,
    /// `max_position_embeddings`.
    pub max_position_embeddings: i32,
    /// Stored layers.
    pub num_layers: i32,
    /// Layers that a token of full depth runs through.
    pub num_effective_layers: i32,
    /// R, the greatest depth.
    pub num_recursion: i32,
    /// -1: none.
    pub bos_token_id: i32,
    /// -1: none.
    pub eos_token_id: i32,
    /// 0 or 1.
    pub has_tokenizer: i32,
    /// Stored.
    pub parameter_count: u64,
    /// With the block counted once per recursion.
    pub effective_parameter_count: u64,
    /// Packed weights, in memory.
    pub weight_bytes: u64,
    /// greatest: a token of full depth, cache_dtype F32; 0 for raters.
    pub kv_bytes_per_token: u64,
    /// How tokens leave a looped model early.
    pub exit: rally_exit,
    /// The file's own; RALLY_KV_DEFAULT (default) without exits.
    pub kv_policy: rally_kv_policy,
    /// The file's own; -1 (default) without exits.
    pub exit_threshold: f64,
    /// Outputs of a rater; 0 for language models, and for raters without a head: rally_pooled is for them.
    pub num_labels: i32,
    /// `score_rule`.
    pub score_rule: rally_score_rule,
    /// 0 or 1: whether the rule makes one score of the outputs, which rally_rate gives.
    pub has_score: i32,
    /// The label whose output is the score; -1: none, or all of them.
    pub score_index: i32,
}

/// What a weight tensor is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_tensor_info {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// Lives as long as the model is open.
    pub name: *const c_char,
    /// As stored: "f32", "f16", "bf16", "int8", "q4"; static storage.
    pub dtype: *const c_char,
    /// `rank`.
    pub rank: i32,
    /// extents, the first `rank` of them.
    pub shape: [i64; 2],
    /// As stored.
    pub byte_count: u64,
}

/// How text becomes tokens, and tokens text.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_tokenizer_options {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// RALLY_DEFAULT (default): as the file says.
    pub add_bos: rally_switch,
    /// RALLY_DEFAULT (default): as the file says.
    pub add_eos: rally_switch,
    /// RALLY_DEFAULT (default) is ON: "\<|endoftext|\>" in the text becomes its one token. OFF: its letters; no special
    /// token comes from the text, whatever it is normalised to.
    pub parse_special: rally_switch,
    /// RALLY_DEFAULT (default) is OFF: special tokens appear in decoded text.
    pub skip_special: rally_switch,
}

/// How a runner is opened.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_runner_options {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// 0 (default): as many as this process may use; at most 256.
    pub threads: u32,
    /// Tokens that are computed together; 0 (default): 2048. More rows are taken in turns.
    pub max_batch_tokens: u32,
    /// rally_run and rally_rate: tokens done.
    pub progress: rally_progress_callback,
    /// `progress_user`.
    pub progress_user: *mut c_void,
    /// Of a language model's keys and values: RALLY_DTYPE_AUTO (default) is F32; a rater has no other.
    pub cache_dtype: rally_dtype,
    /// Whose threads compute, with threads 0; NULL (default): threads of its own.
    pub pool: *const rally_pool,
    /// Of its workspaces and caches; 0 (default): no limit of its own. See rally_model_options.
    pub max_memory_bytes: u64,
}

/// How rally_run computes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_run_options {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// RALLY_SELECT_THRESHOLD (default).
    pub selection: rally_selection,
    /// Recursions a token may run; 0 (default) or more than it has: the model's number.
    pub max_depth: u32,
    /// 0 (default): none.
    pub timeout_seconds: f64,
    /// Mean depth that the model is steered to, in \[1, num_recursion\]; 0 (default): none.
    pub target_depth: f64,
    /// Of a looped model's exits, at least 0; -1 (default): the model's own.
    pub exit_threshold: f64,
    /// \[row_count\] tokens of a row before this one run at full depth; NULL (default): 0 for all rows.
    pub exit_from: *const usize,
    /// Recursions a token of a looped model runs at least; 0 (default): 1.
    pub min_depth: u32,
    /// RALLY_KV_DEFAULT (default).
    pub kv_policy: rally_kv_policy,
}

/// What rally_run shall compute: set the pointers that are wanted, leave the others NULL. N is the number of tokens of
/// all rows, V vocab_size, D hidden_size. Token i is the i-th of `tokens`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_outputs {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// \[position_count\] tokens whose logits and hidden states are wanted; NULL: all N.
    pub positions: *const usize,
    /// `position_count`.
    pub position_count: usize,
    /// \[position_count or N, V\].
    pub logits: *mut f32,
    /// \[position_count or N, D\]: after the final norm, what the head sees.
    pub hidden: *mut f32,
    /// \[N\] ids whose log-probability is wanted after token i, -1: none (a NaN is written); NULL: the next token of the
    /// row.
    pub targets: *const i32,
    /// With targets \[N\]; without \[N - row_count\]: T - 1 per row, natural logarithm.
    pub logprobs: *mut f32,
    /// \[N\] recursions each token ran.
    pub depths: *mut i32,
}

/// How rally_rate computes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_rate_options {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// RALLY_DEFAULT (default) is OFF: the raw score, which ranks without ties. ON: as the file says.
    pub squash: rally_switch,
    /// 0 (default): none.
    pub timeout_seconds: f64,
    /// rally_rate_outputs; RALLY_DEFAULT (default) is OFF: the outputs as they are. ON: as the score rule makes them.
    pub probabilities: rally_switch,
    /// rally_pooled; RALLY_DEFAULT (default) is OFF: the states as they are. ON: each divided by its length.
    pub normalize: rally_switch,
}

/// How documents are cut into windows and scored.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_document_options {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// Of a window, with those that the tokenizer adds; 0 (default): as the file says, or the longest row.
    pub window_tokens: usize,
    /// 0 (default): one window after the other; where it exceeds the window, some tokens are in no window.
    pub stride_tokens: usize,
    /// Of a document; 0 (default): all.
    pub max_windows: usize,
    /// RALLY_DEFAULT (default): as in rally_rate_options, window by window.
    pub squash: rally_switch,
    /// 0 (default): none.
    pub timeout_seconds: f64,
    /// RALLY_READING_DEFAULT (default); but for windows, stride_tokens and max_windows must be 0.
    pub reading: rally_reading,
    /// RALLY_JOIN_DEFAULT (default).
    pub join: rally_join,
    /// rally_encode_document: Unicode scalars that are read of the beginning, to both sides of the middle, or of each
    /// end; 0 (default): as the file says, or all.
    pub characters: usize,
    /// rally_encode_document; RALLY_DEFAULT (default) is OFF: "\[SEP\]" in a text is these characters.
    pub parse_special: rally_switch,
}

/// Where rally_rate_documents writes; a NULL pointer: not wanted. Windows of row i are window_offsets\[i\] ... \[i + 1\] -
/// 1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_document_scores {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// \[row_count\] of the windows' scores, weighted by their tokens.
    pub mean: *mut f32,
    /// \[row_count\] the lowest of them; a short last window is the noisiest.
    pub minimum: *mut f32,
    /// \[row_count\] share of the tokens that were in a window; 1 exactly where all were.
    pub coverage: *mut f32,
    /// \[window_capacity\] of every window, row after row.
    pub window_scores: *mut f32,
    /// At least window_offsets\[row_count\]; as many as there are tokens always suffice.
    pub window_capacity: usize,
    /// \[row_count + 1\] what rally_document_windows gives.
    pub window_offsets: *mut usize,
    /// \[row_count\] what the join makes of the windows' scores: the document's score.
    pub score: *mut f32,
    /// \[row_count\] that score within the file's bounds, rounded, ties to even; INT32_MIN without bounds.
    pub int_score: *mut i32,
    /// \[row_count, num_labels\] the join of the outputs, label by label, as probabilities where the score rule makes
    /// some.
    pub outputs: *mut f32,
}

/// How documents are read that become scores.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_label_options {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// RALLY_DEFAULT (default): as in rally_rate_options.
    pub squash: rally_switch,
    /// Of packed rows that are rated whole; 0 (default): documents, by the windows below.
    pub row_tokens: usize,
    /// 0 (default): as the file says, or the model's longest row.
    pub window_tokens: usize,
    /// 0 (default): the window.
    pub stride_tokens: usize,
    /// 0 (default): all.
    pub max_windows: usize,
    /// NULL (default); further `key=value` pairs with one space between, for whatever else parts scores.
    pub more: *const c_char,
}

/// Two raters for one cut: a cheap one reads every point and decides what is clear, an expensive one reads only the
/// band around the cut. rally_cascade_choose finds the band on a sample that both have read, so that a cut at `discard`
/// decides on at least the share `agreement` of all points as the expensive rater alone would, with the stated
/// confidence. rally_cascade_scores then makes one score of both; the cut is rally_select_top of these.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_cascade {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// Points that the cheap rater scores below are dropped, and the expensive one need not read them; -inf: none.
    pub lower: f32,
    /// Points that it scores at least so stay; inf: none. What lies between is the band.
    pub upper: f32,
    /// The expensive rater's score at the cut, in the sample.
    pub middle: f32,
    /// The range of the middle half of its scores there.
    pub spread: f32,
    /// Of the decisions, at least: the bound at `confidence`, from the three quarters of the sample that choose.
    pub agreement: f64,
    /// The same as the last quarter has it, which chooses nothing.
    pub observed: f64,
    /// Share of that quarter that lies in the band.
    pub band: f64,
    /// What it was chosen for.
    pub discard: f64,
    /// `confidence`.
    pub confidence: f64,
    /// Points of the sample.
    pub sample_count: usize,
}

/// What a distribution is of, and how exact.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_distribution_info {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// Lives as long as the distribution is open.
    pub label: *const c_char,
    /// `capacity`.
    pub capacity: usize,
    /// Scores that were added.
    pub count: u64,
    /// Of all of them; NaN while there are none.
    pub minimum: f32,
    /// `maximum`.
    pub maximum: f32,
    /// No quantile is wrong by more, as a share of all scores; certain, not likely.
    pub rank_error: f64,
}

/// A row of logits before a token is drawn from it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_logits {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// As in events.
    pub request: usize,
    /// The request's own.
    pub user: *mut c_void,
    /// \[count\] of each token; may be changed in place, and -INFINITY forbids a token.
    pub values: *mut f32,
    /// vocab_size.
    pub count: usize,
    /// \[token_count\] prompt and text so far.
    pub tokens: *const i32,
    /// `token_count`.
    pub token_count: usize,
    /// Of them the prompt.
    pub prompt_count: usize,
    /// Recursions that the last of them ran through.
    pub depth: i32,
}

/// One sequence to be continued.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_request {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// \[token_count\] the prompt, at least one token.
    pub tokens: *const i32,
    /// `token_count`.
    pub token_count: usize,
    /// Tokens to generate; 0 (default): until the context is full.
    pub max_tokens: usize,
    /// 0 (default): the most probable token.
    pub temperature: f32,
    /// 0 (default): all.
    pub top_k: i32,
    /// 1 (default): all; in (0, 1\].
    pub top_p: f32,
    /// 0 (default): all; in \[0, 1\], relative to the most probable token.
    pub min_p: f32,
    /// 0; the same seed gives the same text, whatever else runs.
    pub seed: u64,
    /// \[stop_token_count\] end the text; they are reported as its last token.
    pub stop_tokens: *const i32,
    /// `stop_token_count`.
    pub stop_token_count: usize,
    /// RALLY_DEFAULT (default) is ON: the model's eos_token_id ends the text too.
    pub stop_at_eos: rally_switch,
    /// Recursions a token may run; 0 (default) or more than it has: the model's number.
    pub max_depth: u32,
    /// Mean depth that the model is steered to; 0 (default): none.
    pub target_depth: f64,
    /// 1 (default): none. Tokens of prompt and text: positive logits are divided by it, others multiplied.
    pub repetition_penalty: f32,
    /// 0 (default). Subtracted from the logits of tokens that were generated.
    pub presence_penalty: f32,
    /// 0 (default). The same, for each time that they were.
    pub frequency_penalty: f32,
    /// \[bias_count\] tokens whose logits are changed, after the penalties.
    pub bias_tokens: *const i32,
    /// \[bias_count\] what is added; -INFINITY forbids a token.
    pub bias_values: *const f32,
    /// `bias_count`.
    pub bias_count: usize,
    /// \[stop_string_count\] texts that end the text; the token that completes one is the last.
    pub stop_strings: *const *const c_char,
    /// `stop_string_count`.
    pub stop_string_count: usize,
    /// Most probable tokens reported with each token, at most 64; 0 (default): none.
    pub top_logprobs: u32,
    /// 0 (default). Engines: higher goes first, equal ones in the order of submission. When 64 in turn went ahead of an
    /// older one, the oldest of all goes first.
    pub priority: i32,
    /// RALLY_DEFAULT (default) is OFF: the text leaves out the stop string that ends it.
    pub include_stop: rally_switch,
    /// RALLY_DEFAULT (default) is OFF: special tokens appear in the text.
    pub skip_special: rally_switch,
    /// Of a looped model's exits, at least 0; -1 (default): the model's own.
    pub exit_threshold: f64,
    /// Tokens of prompt and text before this one run at full depth; -1 (default): the prompt's length.
    pub exit_from: i64,
    /// Recursions a token of a looped model runs at least; 0 (default): 1.
    pub min_depth: u32,
    /// RALLY_KV_DEFAULT (default).
    pub kv_policy: rally_kv_policy,
    /// NULL (default). Given back in the request's events and logits.
    pub user: *mut c_void,
    /// 0 (default): none. After so long from the submission the text ends: RALLY_FINISH_DEADLINE.
    pub timeout_seconds: f64,
    /// NULL (default). Before penalties and biases; logprob is of what it leaves. Calling thread.
    pub on_logits: rally_logits_callback,
    /// `on_logits_user`.
    pub on_logits_user: *mut c_void,
}

/// One generated token, or (token = -1) the end of a sequence between two tokens: cancelled, at its deadline, or with
/// all tokens forbidden.
///
/// The texts of a request's events, one after the other, are its text: decoded tokens without the stop string that
/// ended them, and without what follows it in its token. What may still become a stop string, or is not yet a whole
/// character, comes with a later event, at the latest with the last. Stop strings are looked for in that text alone,
/// not in the prompt, and in special tokens where these appear in it. The one that is complete first counts; of several
/// complete at the same byte the longest.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_event {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// Index of the request, or the engine's number for it.
    pub request: usize,
    /// Of the token among those generated for the request, from 0.
    pub index: usize,
    /// `token`.
    pub token: i32,
    /// Recursions that the token this one was predicted from ran through.
    pub depth: i32,
    /// Of the token under the model, before penalties, temperature and cuts; natural logarithm.
    pub logprob: f32,
    /// RALLY_NOT_FINISHED while the sequence goes on.
    pub finish_reason: rally_finish_reason,
    /// Index of the stop string that was completed; -1 (default): none.
    pub stop_string: i32,
    /// As many as top_logprobs asked for, fewer where fewer are not forbidden.
    pub top_count: usize,
    /// \[top_count\] most probable first; valid during the callback.
    pub top_tokens: *const i32,
    /// \[top_count\].
    pub top_logprobs: *const f32,
    /// \[text_length\] UTF-8 that is certain by now, not NUL-terminated; valid during the callback.
    pub text: *const c_char,
    /// 0 also where the model has no tokenizer.
    pub text_length: usize,
    /// Bytes of the decoded tokens, from their end, that the text leaves out: with stop_string.
    pub cut_length: usize,
    /// The request's own.
    pub user: *mut c_void,
}

/// Where the tokens go when no callback is wanted, or in addition to one. `stride` is the number of places per request.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_generation {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// At least the greatest max_tokens, none of which may be 0 here.
    pub stride: usize,
    /// \[request_count, stride\].
    pub tokens: *mut i32,
    /// \[request_count, stride\], or NULL.
    pub depths: *mut i32,
    /// \[request_count, stride\], or NULL.
    pub logprobs: *mut f32,
    /// \[request_count\].
    pub token_counts: *mut usize,
    /// \[request_count\], or NULL.
    pub finish_reasons: *mut rally_finish_reason,
    /// \[sum of token_count\], or NULL: recursions each prompt token ran; untouched where a sequence ended before.
    pub prompt_depths: *mut i32,
    /// 0 (default): none.
    pub timeout_seconds: f64,
    /// \[request_count\], or NULL: index of the stop string that ended each; -1: none.
    pub stop_strings: *mut i32,
    /// \[request_count\], or NULL: what rally_decode gives for the tokens is longer by so much.
    pub cut_lengths: *mut usize,
}

/// How an engine is opened.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_engine_options {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// 0 (default): as many as this process may use; at most 256.
    pub threads: u32,
    /// Tokens on their way together, prompts and generated ones; 0 (default): 512.
    pub max_step_tokens: u32,
    /// Continued at the same time; others queue. 0 (default): 64.
    pub max_sequences: u32,
    /// Keys and values; 0 (default): what all sequences can fill, at most 1 GiB and four times the weights or 16 MiB,
    /// but one of full length.
    pub cache_bytes: u64,
    /// RALLY_BATCH_DEPTH (default).
    pub batching: rally_batching,
    /// RALLY_DEFAULT (default) is ON: also with the last 32 that finished, until their blocks are needed.
    pub share_prefixes: rally_switch,
    /// Requests that may wait besides max_sequences; 0 (default): any number.
    pub max_queue: u32,
    /// Of keys and values: RALLY_DTYPE_AUTO (default) is F32.
    pub cache_dtype: rally_dtype,
    /// Whose threads compute, with threads 0; NULL (default): threads of its own.
    pub pool: *const rally_pool,
    /// Of its workspaces and its cache, which takes no more than is left where cache_bytes is 0; 0 (default): no limit
    /// of its own. See rally_model_options.
    pub max_memory_bytes: u64,
}

/// How models are compared.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_lineage_options {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// 9999 (default): random pairings that the true one is compared with, 1 ... 10 000 000.
    pub permutations: u64,
    /// 0; the same seed gives the same report.
    pub seed: u64,
    /// 0 (default): as many as this process may use; without influence on the report.
    pub threads: u32,
    /// Sets of units that were compared, of all.
    pub progress: rally_progress_callback,
    /// `progress_user`.
    pub progress_user: *mut c_void,
}

/// A matrix whose rows are hidden units. Those called "head" or "lm_head" are the output head.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_matrix {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// `name`.
    pub name: *const c_char,
    /// NULL (default): its own. Matrices of one set have the same units: what permutes one permutes all.
    pub set: *const c_char,
    /// \[rows, columns\], row-major.
    pub data: *const f32,
    /// `rows`.
    pub rows: usize,
    /// `columns`.
    pub columns: usize,
}

/// What a report says of the two models as a whole.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_lineage_result {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// `verdict`.
    pub verdict: rally_lineage_verdict,
    /// Of all sets of units but the head, by Fisher's method.
    pub p: f64,
    /// Of the same sets, each counted by the units that were compared.
    pub rho: f64,
    /// `permutations`.
    pub permutations: u64,
    /// `seed`.
    pub seed: u64,
    /// Entries of each kind.
    pub tensor_count: usize,
    /// `set_count`.
    pub set_count: usize,
    /// 0 or 1.
    pub head_count: usize,
}

/// What a report says of one matrix, or of one set of units.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_lineage_entry {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// Of the matrix in A, or of the set.
    pub name: *const c_char,
    /// `set`.
    pub set: *const c_char,
    /// That were compared ...
    pub units: usize,
    /// ... of as many.
    pub all_units: usize,
    /// Mean cosine of the pairs, less that of all units.
    pub rho: f64,
    /// The same in standard deviations of random pairings.
    pub z: f64,
    /// (1 + reached) / (1 + permutations).
    pub p: f64,
    /// Permutations that matched as well; 0: p \< 1 / (1 + permutations) is all that is known.
    pub reached: u64,
}

/// Where rally_exposure writes; a NULL pointer: not wanted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rally_exposure_scores {
    /// `sizeof` the struct, as its init function sets it.
    pub struct_size: usize,
    /// \[row_count\] sum over the sampled tokens of (p_T - p_0) . (z_T - z_0), in nats.
    pub jeffreys: *mut f64,
    /// \[row_count\] sum of log p_T(y) - log p_0(y), in nats.
    pub log_ratio: *mut f64,
    /// \[row_count\] tokens that were counted.
    pub token_counts: *mut usize,
}
