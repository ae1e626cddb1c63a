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

macro_rules! codes {
    ($($name:ident = $constant:ident, $doc:literal;)*) => {
        /// The kinds of failure; `rally.h` describes each.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $doc] $name,)*
            /// One that a newer library added.
            Other(i32),
        }

        impl Code {
            pub(crate) fn from_status(status: rally_sys::rally_status) -> Self {
                match status {
                    $(rally_sys::$constant => Code::$name,)*
                    other => Code::Other(other),
                }
            }
        }
    };
}

codes! {
    InvalidArgument = RALLY_INVALID_ARGUMENT, "Contradictory arguments, a NaN or a number outside its range.";
    InvalidToken = RALLY_INVALID_TOKEN, "A token id outside the vocabulary.";
    EmptyInput = RALLY_EMPTY_INPUT, "No rows, or a row without tokens.";
    ContextExceeded = RALLY_CONTEXT_EXCEEDED, "A row longer than the model's context.";
    WrongKind = RALLY_WRONG_KIND, "A rater asked to generate, a language model asked to rate.";
    BufferTooSmall = RALLY_BUFFER_TOO_SMALL, "A buffer too small for the result.";
    WrongModel = RALLY_WRONG_MODEL, "A saved state that another model, dtype or depth budget computed.";
    Mismatch = RALLY_MISMATCH, "Two things that do not belong together.";
    Closed = RALLY_CLOSED, "The handle was closed.";
    Busy = RALLY_BUSY, "Another call is running on this handle.";
    Forked = RALLY_FORKED, "The handle belongs to the parent process.";
    Cancelled = RALLY_CANCELLED, "Cancelled by a `Canceller` or a callback.";
    DeadlineExceeded = RALLY_DEADLINE_EXCEEDED, "The timeout went by.";
    OutOfMemory = RALLY_OUT_OF_MEMORY, "Memory ran out.";
    LimitExceeded = RALLY_LIMIT_EXCEEDED, "A limit of the options.";
    Unsupported = RALLY_UNSUPPORTED, "A valid wish that this library does not fulfil.";
    FileNotFound = RALLY_FILE_NOT_FOUND, "There is no such file.";
    NotAFile = RALLY_NOT_A_FILE, "A directory or a device.";
    EmptyFile = RALLY_EMPTY_FILE, "A file of no bytes.";
    Io = RALLY_IO, "The system could not read; its own message is in the error.";
    CorruptFile = RALLY_CORRUPT_FILE, "Not a protobuf message, cut off, or nested too deeply.";
    NotARallyModel = RALLY_NOT_A_RALLY_MODEL, "An ONNX model without `rally.` metadata.";
    UnsupportedVersion = RALLY_UNSUPPORTED_VERSION, "A format this library does not know.";
    MissingKey = RALLY_MISSING_KEY, "A metadata key that must be there.";
    UnknownKey = RALLY_UNKNOWN_KEY, "A metadata key that means nothing.";
    DuplicateKey = RALLY_DUPLICATE_KEY, "A metadata key that is there twice.";
    InvalidValue = RALLY_INVALID_VALUE, "A metadata value outside its range.";
    MissingTensor = RALLY_MISSING_TENSOR, "A tensor that must be there.";
    UnknownTensor = RALLY_UNKNOWN_TENSOR, "A tensor that means nothing.";
    DuplicateTensor = RALLY_DUPLICATE_TENSOR, "A tensor that is there twice.";
    InvalidShape = RALLY_INVALID_SHAPE, "A tensor of another shape than the configuration asks for.";
    InvalidDataType = RALLY_INVALID_DATA_TYPE, "A tensor of an element type that is not read.";
    TruncatedData = RALLY_TRUNCATED_DATA, "Fewer or more bytes than shape and type ask for.";
    NotFinite = RALLY_NOT_FINITE, "A NaN or an infinity among weights or scores.";
    ExternalDataForbidden = RALLY_EXTERNAL_DATA_FORBIDDEN, "External data outside the model's folder, or from memory.";
    ExternalDataMissing = RALLY_EXTERNAL_DATA_MISSING, "External data that is not there.";
    ExternalDataRange = RALLY_EXTERNAL_DATA_RANGE, "External data outside its file.";
    InvalidTokenizer = RALLY_INVALID_TOKENIZER, "A tokenizer that contradicts itself.";
}

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
