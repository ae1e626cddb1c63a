//! What the library hands out, and what it calls back.

use crate::{rally_event, rally_log_level};
use std::ffi::{c_char, c_void};

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

/// A report of a lineage test that was opened.
#[repr(C)]
pub struct rally_lineage_report {
    _private: [u8; 0],
}

/// One line of text, valid during the callback.
pub type rally_log_callback =
    Option<unsafe extern "C" fn(user: *mut c_void, level: rally_log_level, message: *const c_char)>;
/// `done` of `total` units of work; non-zero cancels.
pub type rally_progress_callback = Option<unsafe extern "C" fn(user: *mut c_void, done: u64, total: u64) -> i32>;
/// 0 goes on, 1 ends this sequence, 2 ends all.
pub type rally_event_callback = Option<unsafe extern "C" fn(user: *mut c_void, event: *const rally_event) -> i32>;
