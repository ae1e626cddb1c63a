//! What the library hands out, and what it calls back.
//!
//! Written by `make generate` from include/rally.h: change the header, not this file.

use crate::codes::*;
use crate::structs::*;
use std::ffi::{c_char, c_void};

/// A file that was opened: weights, configuration, tokenizer. Immutable; any number of threads share it.
#[repr(C)]
pub struct rally_model {
    _private: [u8; 0],
}

/// Worker threads that any number of models, runners and engines of a process share, so that many of them do not start
/// as many threads each. Their passes of a model, which max_batch_tokens and max_step_tokens bound, take turns in the
/// order in which they came; so calls of several threads at once are safe, and each gets its share. What they compute
/// is the same, bit for bit, as with threads of their own.
#[repr(C)]
pub struct rally_pool {
    _private: [u8; 0],
}

/// Decodes a stream of tokens and never splits a character. One caller.
#[repr(C)]
pub struct rally_decoder {
    _private: [u8; 0],
}

/// Worker threads and workspaces that compute with a model. One caller at a time.
#[repr(C)]
pub struct rally_runner {
    _private: [u8; 0],
}

/// The distribution of any number of scores in little memory: exact while there are at most `capacity`, and within
/// rank_error of a rank beyond. It can be saved, and merged with others. Reads may run together; writes to one
/// distribution take turns.
#[repr(C)]
pub struct rally_distribution {
    _private: [u8; 0],
}

/// Continues any number of sequences together, which come and go at every step.
#[repr(C)]
pub struct rally_engine {
    _private: [u8; 0],
}

/// What a comparison of two models found.
#[repr(C)]
pub struct rally_lineage_report {
    _private: [u8; 0],
}

/// One line of text, without a newline; valid during the callback.
pub type rally_log_callback =
    Option<unsafe extern "C" fn(user: *mut c_void, level: rally_log_level, message: *const c_char)>;
/// `done` of `total` units of work (bytes while a model opens, tokens while rows run). A call of several steps, such as
/// preparing or opening through a cache_folder, begins again with each. Return non-zero to cancel.
pub type rally_progress_callback = Option<unsafe extern "C" fn(user: *mut c_void, done: u64, total: u64) -> i32>;
/// Sees, and may change, the logits of all requests of this function and user that draw a token now: a sampler or
/// grammar of your own. rows: \[row_count\], valid during the callback, which may not change anything but values. Return
/// 0 to go on, anything else to end these requests, with RALLY_FINISH_CANCELLED. A row without a number above -INFINITY
/// ends its request: RALLY_FINISH_STOP, without a token; NaN is no number.
pub type rally_logits_callback =
    Option<unsafe extern "C" fn(user: *mut c_void, rows: *const *const rally_logits, row_count: usize) -> i32>;
/// Return 0 to go on, 1 to end this sequence, 2 to end all.
pub type rally_event_callback = Option<unsafe extern "C" fn(user: *mut c_void, event: *const rally_event) -> i32>;
