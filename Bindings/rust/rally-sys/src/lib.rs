//! The C interface of Rally, as `rally.h` declares it.
//!
//! Use the crate `rally` unless you need the raw calls. All but this file is written by `make generate` from the header;
//! the structs are compared with the library's own `rally_abi_layout` by a test.

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
