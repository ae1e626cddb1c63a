use crate::error::{check, Result};
use crate::Model;
use rally_sys as sys;
use std::ptr;

/// What each token stands for, from [`Model::vocabulary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    bytes: Vec<u8>,
    offsets: Vec<usize>,
    special: Vec<bool>,
    longest: usize,
}

impl Vocabulary {
    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.special.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.special.is_empty()
    }

    /// The bytes of a token, which may be part of a character.
    ///
    /// # Panics
    ///
    /// Where there is no such token.
    pub fn token(&self, token: usize) -> &[u8] {
        &self.bytes[self.offsets[token]..self.offsets[token + 1]]
    }

    /// Whether a token steers the model and is no text; `false` where there is no such token.
    pub fn is_special(&self, token: usize) -> bool {
        self.special.get(token).copied().unwrap_or(false)
    }

    /// Bytes of the longest token, the most that one token adds to a text.
    pub fn longest(&self) -> usize {
        self.longest
    }
}

impl Model {
    /// What each token stands for.
    pub fn vocabulary(&self) -> Result<Vocabulary> {
        let count = self.info()?.vocab_size;
        let (mut offsets, mut special, mut longest) = (vec![0; count + 1], vec![0u8; count], 0);
        let into = offsets.as_mut_ptr();
        check(|error| unsafe {
            let special = special.as_mut_ptr();
            sys::rally_model_vocabulary(self.handle(), ptr::null_mut(), 0, into, special, &mut longest, error)
        })?;
        let mut bytes = vec![0u8; offsets[count]];
        let (text, capacity, into) = (bytes.as_mut_ptr().cast(), bytes.len(), offsets.as_mut_ptr());
        check(|error| unsafe {
            let (special, longest) = (ptr::null_mut(), ptr::null_mut());
            sys::rally_model_vocabulary(self.handle(), text, capacity, into, special, longest, error)
        })?;
        Ok(Vocabulary {
            bytes,
            offsets,
            special: special.into_iter().map(|flag| flag != 0).collect(),
            longest,
        })
    }
}
