pub use crate::codes::Code;
use std::ffi::CStr;
use std::fmt;
use std::mem::{size_of, MaybeUninit};

/// What every fallible call of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed: a code for programs, a line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: String,
}

impl Error {
    /// What kind of failure it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// One line: the thing, what was expected, what was found and what to do.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Error {
            code,
            message: message.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Makes a call of the C interface with an error to fill.
pub(crate) fn check(call: impl FnOnce(*mut rally_sys::rally_error) -> rally_sys::rally_status) -> Result<()> {
    let mut error = initialised(rally_sys::rally_error_init);
    let status = call(&mut error);
    if status == rally_sys::RALLY_OK {
        return Ok(());
    }
    // SAFETY: the library terminates the message within the array.
    let message = unsafe { CStr::from_ptr(error.message.as_ptr()) };
    Err(Error::new(Code::from_status(status), message.to_string_lossy()))
}

/// A C struct at its defaults.
pub(crate) fn initialised<T: Copy>(init: unsafe extern "C" fn(*mut T, usize)) -> T {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: every struct of the header is valid when zeroed, and init writes within its size.
    unsafe {
        init(value.as_mut_ptr(), size_of::<T>());
        value.assume_init()
    }
}
