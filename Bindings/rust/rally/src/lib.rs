//! Mixture-of-Recursions language models and DataRaters, on the CPU, in your process.
//!
//! A [`Model`] is a file that was opened: immutable, shared by any threads. A [`Runner`] computes with it, one call at a
//! time. An [`Engine`] continues sequences that come and go. [`Rows`] are sequences of token ids of any lengths, never padded.
//!
//! ```no_run
//! let model = rally::Model::open("rally-tiny.onnx")?;
//! let mut runner = rally::Runner::new(&model)?;
//! let request = rally::Request { tokens: model.encode("The sea")?, max_tokens: 40, ..Default::default() };
//! let story = runner.generate_one(&request)?;
//! println!("{}", String::from_utf8_lossy(&model.decode(&story.tokens)?));
//! # Ok::<(), rally::Error>(())
//! ```
//!
//! The result of a row is bit for bit the same whatever the other rows of the call, their order and the number of
//! threads, on one machine and one instruction set.

#![deny(missing_docs)]

mod codes;
mod distribution;
mod documents;
mod engine;
mod error;
mod event;
mod exposure;
mod generate;
mod identity;
mod lineage;
mod model;
mod pool;
mod request;
mod rewrite;
mod rows;
mod rule;
mod runner;
pub mod select;
mod tokenizer;
mod vocabulary;
mod watch;

pub use distribution::Distribution;
pub use documents::{DocumentOptions, DocumentScore, Join, Reading};
pub use engine::{Batching, Engine, EngineHandle, EngineOptions, Events};
pub use error::{Code, Error, Result};
pub use event::{Event, FinishReason, Flow};
pub use exposure::Exposure;
pub use generate::{Continuation, GenerateOptions};
pub use identity::LabelOptions;
pub use lineage::{lineage, lineage_matrices, LineageMatch, LineageOptions, LineageReport, UnitMatrix, Verdict};
pub use model::{Dtype, Exit, Info, Kind, Model, ModelOptions, Routing, ScoreRule, Tensor};
pub use pool::Pool;
pub use request::{KvPolicy, Request};
pub use rewrite::{prepare, prepare_with, quantize, quantize_with, PrepareOptions, QuantizeOptions};
pub use rows::Rows;
pub use rule::{LogitsRow, OnLogits};
pub use runner::{Canceller, Outputs, RateOptions, RunOptions, Runner, RunnerOptions, Selection, Wanted};
pub use tokenizer::{Decoder, TokenizerOptions};
pub use vocabulary::Vocabulary;
pub use watch::{Log, LogLevel, Progress};

use std::ffi::CStr;

/// The version of the library that is loaded.
pub fn version() -> &'static str {
    static_text(unsafe { rally_sys::rally_version() })
}

/// The same as one number that grows with every version: 1000000 major + 1000 minor + patch.
pub fn version_number() -> u32 {
    unsafe { rally_sys::rally_version_number() }
}

/// How the library was built, for reports of faults: lines `name value`.
pub fn build_info() -> &'static str {
    static_text(unsafe { rally_sys::rally_build_info() })
}

/// The instruction set in use, such as `avx2`.
pub fn instruction_set() -> &'static str {
    static_text(unsafe { rally_sys::rally_instruction_set() })
}

/// Text that the library keeps for ever.
fn static_text(text: *const std::ffi::c_char) -> &'static str {
    if text.is_null() {
        return "";
    }
    // SAFETY: the header promises a terminated string in static storage.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}
