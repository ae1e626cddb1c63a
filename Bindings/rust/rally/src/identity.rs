use crate::error::{check, initialised, Code, Error, Result};
use crate::Model;
use rally_sys as sys;
use std::ffi::{c_char, CString};

/// How documents are read that become scores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelOptions {
    /// Scores are squashed as the file says.
    pub squash: bool,
    /// Tokens of packed rows that are rated whole; 0: documents, by the windows below.
    pub row_tokens: usize,
    /// 0: the model's longest row.
    pub window_tokens: usize,
    /// 0: the window.
    pub stride_tokens: usize,
    /// 0: all.
    pub max_windows: usize,
    /// Further `key=value` pairs with one space between.
    pub more: String,
}

impl Model {
    /// 64 hexadecimal digits that stand for the file's content and for what changes its scores: what
    /// [`select::decide`](crate::select::decide) takes. Reads the whole file, the first time.
    pub fn score_fingerprint(&self, squash: bool) -> Result<String> {
        text(|text, capacity, size, error| unsafe {
            sys::rally_score_fingerprint(self.handle(), i32::from(squash), text, capacity, size, error)
        })
    }

    /// What a [`Distribution`](crate::Distribution) of this model's scores, or perplexities, is labelled with.
    pub fn score_label(&self, options: &LabelOptions) -> Result<String> {
        let more = CString::new(options.more.as_str())
            .map_err(|_| Error::new(Code::InvalidArgument, "more: expected no NUL byte, found one"))?;
        let mut raw = initialised(sys::rally_label_options_init);
        raw.squash = i32::from(options.squash);
        raw.row_tokens = options.row_tokens;
        raw.window_tokens = options.window_tokens;
        raw.stride_tokens = options.stride_tokens;
        raw.max_windows = options.max_windows;
        raw.more = more.as_ptr();
        text(|text, capacity, size, error| unsafe {
            sys::rally_score_label(self.handle(), &raw, text, capacity, size, error)
        })
    }

    /// Whether both models read the same tokens: equal tokenizers, or none and as many ids.
    pub fn reads_same_tokens(&self, other: &Model) -> Result<bool> {
        let mut same = 0;
        check(|error| unsafe { sys::rally_same_tokens(self.handle(), other.handle(), &mut same, error) })?;
        Ok(same != 0)
    }
}

/// Asks for the size, then for the text.
fn text(fill: impl Fn(*mut c_char, usize, *mut usize, *mut sys::rally_error) -> sys::rally_status) -> Result<String> {
    let mut size = 0;
    check(|error| fill(std::ptr::null_mut(), 0, &mut size, error))?;
    let mut bytes = vec![0u8; size];
    check(|error| fill(bytes.as_mut_ptr().cast(), bytes.len(), &mut size, error))?;
    bytes.truncate(size.saturating_sub(1)); // its NUL
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
