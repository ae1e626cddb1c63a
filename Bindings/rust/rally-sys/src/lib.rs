//! The C interface of Rally, declared by hand after `rally.h`, which is the manual.
//!
//! Use the crate `rally` unless you need the raw calls. The structs are compared with the library's own
//! `rally_abi_layout` by a test.

#![allow(non_camel_case_types)]
#![deny(missing_docs)]

mod codes;
mod functions;
mod handles;
mod structs;

pub use codes::*;
pub use functions::*;
pub use handles::*;
pub use structs::*;
