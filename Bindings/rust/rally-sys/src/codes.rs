//! Numbers with names: statuses and choices.
//!
//! Written by `make generate` from include/rally.h: change the header, not this file.

/// What a call answers: RALLY_OK, or why it failed.
pub type rally_status = i32;
/// `RALLY_OK`.
pub const RALLY_OK: rally_status = 0;
/// NULL, misaligned or contradictory; a NaN or a number outside its range.
pub const RALLY_INVALID_ARGUMENT: rally_status = 1;
/// A token id outside \[0, vocab_size).
pub const RALLY_INVALID_TOKEN: rally_status = 2;
/// No rows, or a row without tokens.
pub const RALLY_EMPTY_INPUT: rally_status = 3;
/// A row longer than the model's max_position_embeddings.
pub const RALLY_CONTEXT_EXCEEDED: rally_status = 4;
/// A rater asked to generate, a language model asked to rate.
pub const RALLY_WRONG_KIND: rally_status = 5;
/// The message says how much is needed.
pub const RALLY_BUFFER_TOO_SMALL: rally_status = 6;
/// A saved state that another model, dtype or depth budget computed.
pub const RALLY_WRONG_MODEL: rally_status = 7;
/// Two things that do not belong together, such as distributions of two raters.
pub const RALLY_MISMATCH: rally_status = 8;
/// `RALLY_CLOSED`.
pub const RALLY_CLOSED: rally_status = 10;
/// Another call is running on this handle.
pub const RALLY_BUSY: rally_status = 11;
/// The handle belongs to the parent process: open it again in this one.
pub const RALLY_FORKED: rally_status = 12;
/// rally_runner_cancel, or a progress callback that returned non-zero.
pub const RALLY_CANCELLED: rally_status = 13;
/// timeout_seconds went by.
pub const RALLY_DEADLINE_EXCEEDED: rally_status = 14;
/// `RALLY_OUT_OF_MEMORY`.
pub const RALLY_OUT_OF_MEMORY: rally_status = 15;
/// A limit of the options, such as max_file_bytes.
pub const RALLY_LIMIT_EXCEEDED: rally_status = 16;
/// A valid request that this library cannot serve; the message names it.
pub const RALLY_UNSUPPORTED: rally_status = 17;
/// As many unfinished requests as max_sequences and max_queue allow: submit again later.
pub const RALLY_QUEUE_FULL: rally_status = 18;
/// `RALLY_FILE_NOT_FOUND`.
pub const RALLY_FILE_NOT_FOUND: rally_status = 20;
/// A directory or a device.
pub const RALLY_NOT_A_FILE: rally_status = 21;
/// `RALLY_EMPTY_FILE`.
pub const RALLY_EMPTY_FILE: rally_status = 22;
/// The system's own message is in the error.
pub const RALLY_IO: rally_status = 23;
/// Not a protobuf message, cut off, or nested too deeply.
pub const RALLY_CORRUPT_FILE: rally_status = 30;
/// An ONNX model without `rally.` metadata.
pub const RALLY_NOT_A_RALLY_MODEL: rally_status = 31;
/// `RALLY_UNSUPPORTED_VERSION`.
pub const RALLY_UNSUPPORTED_VERSION: rally_status = 32;
/// `RALLY_MISSING_KEY`.
pub const RALLY_MISSING_KEY: rally_status = 33;
/// `RALLY_UNKNOWN_KEY`.
pub const RALLY_UNKNOWN_KEY: rally_status = 34;
/// `RALLY_DUPLICATE_KEY`.
pub const RALLY_DUPLICATE_KEY: rally_status = 35;
/// `RALLY_INVALID_VALUE`.
pub const RALLY_INVALID_VALUE: rally_status = 36;
/// `RALLY_MISSING_TENSOR`.
pub const RALLY_MISSING_TENSOR: rally_status = 37;
/// `RALLY_UNKNOWN_TENSOR`.
pub const RALLY_UNKNOWN_TENSOR: rally_status = 38;
/// `RALLY_DUPLICATE_TENSOR`.
pub const RALLY_DUPLICATE_TENSOR: rally_status = 39;
/// `RALLY_INVALID_SHAPE`.
pub const RALLY_INVALID_SHAPE: rally_status = 40;
/// `RALLY_INVALID_DATA_TYPE`.
pub const RALLY_INVALID_DATA_TYPE: rally_status = 41;
/// Fewer or more bytes than shape and type ask for.
pub const RALLY_TRUNCATED_DATA: rally_status = 42;
/// A NaN or an infinity among the weights, or among scores.
pub const RALLY_NOT_FINITE: rally_status = 43;
/// Outside the model's folder, or from memory.
pub const RALLY_EXTERNAL_DATA_FORBIDDEN: rally_status = 44;
/// `RALLY_EXTERNAL_DATA_MISSING`.
pub const RALLY_EXTERNAL_DATA_MISSING: rally_status = 45;
/// `RALLY_EXTERNAL_DATA_RANGE`.
pub const RALLY_EXTERNAL_DATA_RANGE: rally_status = 46;
/// `RALLY_INVALID_TOKENIZER`.
pub const RALLY_INVALID_TOKENIZER: rally_status = 47;

/// Element type of the matrix products. Norms, routers, softmax, scores and the embedding are computed in f32 whatever
/// it is. BF16: weights are rounded to bf16; rows and sums are f32, but where the processor multiplies bf16 at more
/// than the speed of f32 (AMD with AVX512_BF16, Intel with AMX) rows are rounded to bf16, too. INT8: weights and rows
/// with a scale for every 32 inputs, max|w| / 127, or as the file stores them; sums are exact within such a group
/// (docs/number-formats.md). Q4: weights of the layers in four bits with an f16 scale for every 32 inputs, the head and
/// what the layers have alongside them as INT8; rows as with INT8.
pub type rally_dtype = i32;
/// What most weights of the layers are stored in; f32 for f16.
pub const RALLY_DTYPE_AUTO: rally_dtype = 0;
/// `RALLY_DTYPE_F32`.
pub const RALLY_DTYPE_F32: rally_dtype = 1;
/// `RALLY_DTYPE_BF16`.
pub const RALLY_DTYPE_BF16: rally_dtype = 2;
/// `RALLY_DTYPE_INT8`.
pub const RALLY_DTYPE_INT8: rally_dtype = 3;
/// `RALLY_DTYPE_Q4`.
pub const RALLY_DTYPE_Q4: rally_dtype = 4;

/// Three-valued switch: what the model file says, or what the caller asks for.
pub type rally_switch = i32;
/// `RALLY_DEFAULT`.
pub const RALLY_DEFAULT: rally_switch = -1;
/// `RALLY_OFF`.
pub const RALLY_OFF: rally_switch = 0;
/// `RALLY_ON`.
pub const RALLY_ON: rally_switch = 1;

/// How important a line of the log is.
pub type rally_log_level = i32;
/// `RALLY_LOG_DEBUG`.
pub const RALLY_LOG_DEBUG: rally_log_level = 0;
/// `RALLY_LOG_INFO`.
pub const RALLY_LOG_INFO: rally_log_level = 1;
/// `RALLY_LOG_WARNING`.
pub const RALLY_LOG_WARNING: rally_log_level = 2;

/// What a model is for.
pub type rally_kind = i32;
/// `RALLY_KIND_LM`.
pub const RALLY_KIND_LM: rally_kind = 0;
/// `RALLY_KIND_RATER`.
pub const RALLY_KIND_RATER: rally_kind = 1;

/// How the recursions that a token runs are chosen: not at all, by the capacity of each, or by each token at its first.
pub type rally_routing = i32;
/// `RALLY_ROUTING_NONE`.
pub const RALLY_ROUTING_NONE: rally_routing = 0;
/// `RALLY_ROUTING_EXPERT`.
pub const RALLY_ROUTING_EXPERT: rally_routing = 1;
/// `RALLY_ROUTING_TOKEN`.
pub const RALLY_ROUTING_TOKEN: rally_routing = 2;

/// The rule by which a token leaves a looped model before its last recursion.
pub type rally_exit = i32;
/// There is none.
pub const RALLY_EXIT_NONE: rally_exit = 0;
/// Leaves where 1 - (product of 1 - sigmoid(gate)) has reached the threshold.
pub const RALLY_EXIT_HAZARD: rally_exit = 1;
/// Leaves where |x - x before| / |x| is below the threshold.
pub const RALLY_EXIT_LATENT_DIFF: rally_exit = 2;

/// What later tokens see of the recursions that a token did not run.
pub type rally_kv_policy = i32;
/// As the model file says.
pub const RALLY_KV_DEFAULT: rally_kv_policy = 0;
/// Its own: all recursions are computed, and the rule chooses which one is read.
pub const RALLY_KV_FULL: rally_kv_policy = 1;
/// Keys and values of the deepest recursion that it ran.
pub const RALLY_KV_LAST_EXITED: rally_kv_policy = 2;
/// Where recursions have layers of their own: what those that it skipped make of the state it left with.
pub const RALLY_KV_PROPAGATED: rally_kv_policy = 3;

/// How one score comes from the outputs z of a rater, one per label.
pub type rally_score_rule = i32;
/// none: the outputs are no probabilities either; and language models.
pub const RALLY_SCORE_NONE: rally_score_rule = 0;
/// Z of one label.
pub const RALLY_SCORE_LOGIT: rally_score_rule = 1;
/// The sum of value times softmax(z), with a value for each label.
pub const RALLY_SCORE_EXPECTATION: rally_score_rule = 2;
/// softmax(z) of one label.
pub const RALLY_SCORE_SOFTMAX: rally_score_rule = 3;
/// sigmoid(z) of one label.
pub const RALLY_SCORE_SIGMOID: rally_score_rule = 4;

/// How an expert-choice model selects the tokens that go on. Other models are not affected.
pub type rally_selection = i32;
/// By the router's own threshold: causal, what generation does.
pub const RALLY_SELECT_THRESHOLD: rally_selection = 0;
/// The capacity's best of the whole row: not causal, what training did.
pub const RALLY_SELECT_TOPK: rally_selection = 1;

/// Which part of a document is read.
pub type rally_reading = i32;
/// What the file says, or all windows.
pub const RALLY_READING_DEFAULT: rally_reading = 0;
/// All of it, window after window.
pub const RALLY_READING_WINDOWS: rally_reading = 1;
/// One window, of its beginning.
pub const RALLY_READING_FIRST: rally_reading = 2;
/// One window, of the beginning of what `characters` leaves around the middle.
pub const RALLY_READING_MIDDLE: rally_reading = 3;
/// The first window and the one that ends with the document; one where both would be the same.
pub const RALLY_READING_ENDS: rally_reading = 4;

/// What the windows' scores make together.
pub type rally_join = i32;
/// What the file says, or the mean.
pub const RALLY_JOIN_DEFAULT: rally_join = 0;
/// Weighted by the windows' tokens.
pub const RALLY_JOIN_MEAN: rally_join = 1;
/// `RALLY_JOIN_MAX`.
pub const RALLY_JOIN_MAX: rally_join = 2;
/// `RALLY_JOIN_MIN`.
pub const RALLY_JOIN_MIN: rally_join = 3;

/// Why a sequence ended.
pub type rally_finish_reason = i32;
/// `RALLY_NOT_FINISHED`.
pub const RALLY_NOT_FINISHED: rally_finish_reason = 0;
/// A stop token, a stop string, or eos.
pub const RALLY_FINISH_STOP: rally_finish_reason = 1;
/// max_tokens.
pub const RALLY_FINISH_LIMIT: rally_finish_reason = 2;
/// max_position_embeddings, or all that the engine's cache_bytes hold.
pub const RALLY_FINISH_CONTEXT_FULL: rally_finish_reason = 3;
/// By a callback, a cancel function, or the timeout of the call.
pub const RALLY_FINISH_CANCELLED: rally_finish_reason = 4;
/// timeout_seconds of the request.
pub const RALLY_FINISH_DEADLINE: rally_finish_reason = 5;

/// How an engine puts tokens together.
pub type rally_batching = i32;
/// Tokens of all recursions run together.
pub const RALLY_BATCH_DEPTH: rally_batching = 0;
/// All sequences finish their token before the next ones start; for comparison.
pub const RALLY_BATCH_SEQUENCE: rally_batching = 1;

/// The bounds of rho were calibrated on three-layer perceptrons that learned from each other's outputs; other models
/// may differ.
pub type rally_lineage_verdict = i32;
/// P \>= 0.001; no proof: a checkpoint whose units were permuted evades the test.
pub const RALLY_LINEAGE_NOT_SEEN: rally_lineage_verdict = 0;
/// P \< 0.001, rho \< 0.75.
pub const RALLY_LINEAGE_SHARED: rally_lineage_verdict = 1;
/// P \< 0.001, rho in \[0.75, 0.95).
pub const RALLY_LINEAGE_PARTIAL: rally_lineage_verdict = 2;
/// P \< 0.001, rho \>= 0.95.
pub const RALLY_LINEAGE_STRONG: rally_lineage_verdict = 3;

/// What the entries of a report are about.
pub type rally_lineage_kind = i32;
/// One matrix each; those of one set depend on each other.
pub const RALLY_LINEAGE_TENSORS: rally_lineage_kind = 0;
/// Matrices that share their units, as one; what p is combined from.
pub const RALLY_LINEAGE_SETS: rally_lineage_kind = 1;
/// apart: heads are often initialised again.
pub const RALLY_LINEAGE_HEAD: rally_lineage_kind = 2;
