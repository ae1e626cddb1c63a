//! Numbers with names: statuses and choices.

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
