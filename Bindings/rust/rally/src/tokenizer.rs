use crate::error::{check, initialised, Code, Result};
use crate::{DocumentOptions, Model};
use rally_sys as sys;
use std::ffi::c_char;
use std::ptr;

/// How text is encoded and decoded; `None` is what the model file or `rally.h` says.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenizerOptions {
    /// Begin with the model's bos token.
    pub add_bos: Option<bool>,
    /// End with the model's eos token.
    pub add_eos: Option<bool>,
    /// Text that spells a special token becomes that token; on by default.
    pub parse_special: Option<bool>,
    /// Special tokens are left out of decoded text; off by default.
    pub skip_special: Option<bool>,
}

impl TokenizerOptions {
    fn raw(&self) -> sys::rally_tokenizer_options {
        let switch = |given: Option<bool>| given.map_or(sys::RALLY_DEFAULT, i32::from);
        let mut raw = initialised(sys::rally_tokenizer_options_init);
        raw.add_bos = switch(self.add_bos);
        raw.add_eos = switch(self.add_eos);
        raw.parse_special = switch(self.parse_special);
        raw.skip_special = switch(self.skip_special);
        raw
    }
}

type Encode<Options> = unsafe extern "C" fn(
    model: *const sys::rally_model,
    text: *const c_char,
    text_size: usize,
    options: *const Options,
    tokens: *mut i32,
    capacity: usize,
    count: *mut usize,
    error: *mut sys::rally_error,
) -> sys::rally_status;

impl Model {
    /// Encodes text, or any bytes: decoding gives back the very bytes.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<i32>> {
        self.encode_with(text, TokenizerOptions::default())
    }

    /// As [`Model::encode`], with options.
    pub fn encode_with(&self, text: impl AsRef<[u8]>, options: TokenizerOptions) -> Result<Vec<i32>> {
        self.tokens(text.as_ref(), &options.raw(), sys::rally_encode)
    }

    /// Encodes a text as a document to be rated: what the reading leaves of its characters, special tokens being letters.
    pub fn encode_document(&self, text: impl AsRef<[u8]>, options: DocumentOptions) -> Result<Vec<i32>> {
        self.tokens(text.as_ref(), &options.raw(), sys::rally_encode_document)
    }

    fn tokens<Options>(&self, text: &[u8], options: &Options, encode: Encode<Options>) -> Result<Vec<i32>> {
        fill(0, |tokens, capacity, count, error| unsafe {
            let (text, size) = (text.as_ptr().cast(), text.len());
            encode(self.handle(), text, size, options, tokens, capacity, count, error)
        })
    }

    /// Decodes tokens into bytes; UTF-8 as far as the tokens are.
    pub fn decode(&self, tokens: &[i32]) -> Result<Vec<u8>> {
        self.decode_with(tokens, TokenizerOptions::default())
    }

    /// As [`Model::decode`], with options.
    pub fn decode_with(&self, tokens: &[i32], options: TokenizerOptions) -> Result<Vec<u8>> {
        let raw = options.raw();
        fill(0u8, |text, capacity, length, error| unsafe {
            sys::rally_decode(
                self.handle(),
                tokens.as_ptr(),
                tokens.len(),
                &raw,
                text.cast(),
                capacity,
                length,
                error,
            )
        })
    }
}

/// Asks for the size with NULL, then for the contents.
pub(crate) fn fill<T: Clone>(
    empty: T,
    call: impl Fn(*mut T, usize, *mut usize, *mut sys::rally_error) -> sys::rally_status,
) -> Result<Vec<T>> {
    let mut count = 0;
    check(|error| call(ptr::null_mut(), 0, &mut count, error))?;
    let mut values = vec![empty; count];
    if count > 0 {
        check(|error| call(values.as_mut_ptr(), values.len(), &mut count, error))?;
        values.truncate(count);
    }
    Ok(values)
}

/// Decodes a stream of tokens and never splits a character.
#[derive(Debug)]
pub struct Decoder {
    handle: *mut sys::rally_decoder,
}

// SAFETY: "one caller" at a time, on any thread; the methods take `&mut self`.
unsafe impl Send for Decoder {}

impl Drop for Decoder {
    fn drop(&mut self) {
        unsafe { sys::rally_decoder_close(self.handle) }
    }
}

impl Decoder {
    /// Opens a decoder.
    pub fn new(model: &Model, options: TokenizerOptions) -> Result<Self> {
        let mut handle = ptr::null_mut();
        check(|error| unsafe { sys::rally_decoder_open(model.handle(), &options.raw(), &mut handle, error) })?;
        Ok(Decoder { handle })
    }

    /// Takes the next token and gives the text that is complete by now, often none.
    pub fn push(&mut self, token: i32) -> Result<String> {
        let handle = self.handle;
        grow(|text, capacity, length, error| unsafe {
            sys::rally_decoder_push(handle, token, text.cast(), capacity, length, error)
        })
    }

    /// Gives what was held back, and starts again.
    pub fn finish(&mut self) -> Result<String> {
        let handle = self.handle;
        grow(|text, capacity, length, error| unsafe {
            sys::rally_decoder_finish(handle, text.cast(), capacity, length, error)
        })
    }
}

/// Makes the call with more room until it fits: a token that does not fit was not taken.
fn grow(call: impl Fn(*mut u8, usize, *mut usize, *mut sys::rally_error) -> sys::rally_status) -> Result<String> {
    let mut text = vec![0u8; 256];
    loop {
        let mut length = 0;
        match check(|error| call(text.as_mut_ptr(), text.len(), &mut length, error)) {
            Ok(()) => return Ok(String::from_utf8_lossy(&text[..length]).into_owned()),
            Err(error) if error.code() == Code::BufferTooSmall => text.resize(text.len() * 4, 0),
            Err(error) => return Err(error),
        }
    }
}
