//! The shipped models and a small request.

#![allow(dead_code)] // each test uses its own part

use rally::{Model, Request};
use std::path::PathBuf;

pub fn path(variable: &str, name: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../../Examples/models")
            .join(name),
    }
}

pub fn language_model() -> Model {
    Model::open(path("RALLY_TEST_LM", "rally-tiny.onnx")).expect("the language model opens")
}

pub fn rater() -> Model {
    Model::open(path("RALLY_TEST_RATER", "rally-rater-tiny.onnx")).expect("the rater opens")
}

pub fn request(count: usize) -> Request {
    Request {
        tokens: vec![1, 2, 3],
        max_tokens: count,
        stop_at_eos: false,
        ..Request::default()
    }
}

pub fn assert_send<T: Send>(_: &T) {}
pub fn assert_sync<T: Sync>(_: &T) {}
