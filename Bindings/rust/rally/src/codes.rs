// Written by `make generate` from include/rally.h: change the header, not this file.

/// The kinds of failure.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// NULL, misaligned or contradictory; a NaN or a number outside its range.
    InvalidArgument,
    /// A token id outside \[0, vocab_size).
    InvalidToken,
    /// No rows, or a row without tokens.
    EmptyInput,
    /// A row longer than the model's max_position_embeddings.
    ContextExceeded,
    /// A rater asked to generate, a language model asked to rate.
    WrongKind,
    /// The message says how much is needed.
    BufferTooSmall,
    /// A saved state that another model, dtype or depth budget computed.
    WrongModel,
    /// Two things that do not belong together, such as distributions of two raters.
    Mismatch,
    /// `RALLY_CLOSED`.
    Closed,
    /// Another call is running on this handle.
    Busy,
    /// The handle belongs to the parent process: open it again in this one.
    Forked,
    /// rally_runner_cancel, or a progress callback that returned non-zero.
    Cancelled,
    /// timeout_seconds went by.
    DeadlineExceeded,
    /// `RALLY_OUT_OF_MEMORY`.
    OutOfMemory,
    /// A limit of the options, such as max_file_bytes.
    LimitExceeded,
    /// A valid request that this library cannot serve; the message names it.
    Unsupported,
    /// As many unfinished requests as max_sequences and max_queue allow: submit again later.
    QueueFull,
    /// `RALLY_FILE_NOT_FOUND`.
    FileNotFound,
    /// A directory or a device.
    NotAFile,
    /// `RALLY_EMPTY_FILE`.
    EmptyFile,
    /// The system's own message is in the error.
    Io,
    /// Not a protobuf message, cut off, or nested too deeply.
    CorruptFile,
    /// An ONNX model without `rally.` metadata.
    NotARallyModel,
    /// `RALLY_UNSUPPORTED_VERSION`.
    UnsupportedVersion,
    /// `RALLY_MISSING_KEY`.
    MissingKey,
    /// `RALLY_UNKNOWN_KEY`.
    UnknownKey,
    /// `RALLY_DUPLICATE_KEY`.
    DuplicateKey,
    /// `RALLY_INVALID_VALUE`.
    InvalidValue,
    /// `RALLY_MISSING_TENSOR`.
    MissingTensor,
    /// `RALLY_UNKNOWN_TENSOR`.
    UnknownTensor,
    /// `RALLY_DUPLICATE_TENSOR`.
    DuplicateTensor,
    /// `RALLY_INVALID_SHAPE`.
    InvalidShape,
    /// `RALLY_INVALID_DATA_TYPE`.
    InvalidDataType,
    /// Fewer or more bytes than shape and type ask for.
    TruncatedData,
    /// A NaN or an infinity among the weights, or among scores.
    NotFinite,
    /// Outside the model's folder, or from memory.
    ExternalDataForbidden,
    /// `RALLY_EXTERNAL_DATA_MISSING`.
    ExternalDataMissing,
    /// `RALLY_EXTERNAL_DATA_RANGE`.
    ExternalDataRange,
    /// `RALLY_INVALID_TOKENIZER`.
    InvalidTokenizer,
    /// One that a newer library added.
    Other(i32),
}

impl Code {
    pub(crate) fn from_status(status: rally_sys::rally_status) -> Self {
        match status {
            rally_sys::RALLY_INVALID_ARGUMENT => Code::InvalidArgument,
            rally_sys::RALLY_INVALID_TOKEN => Code::InvalidToken,
            rally_sys::RALLY_EMPTY_INPUT => Code::EmptyInput,
            rally_sys::RALLY_CONTEXT_EXCEEDED => Code::ContextExceeded,
            rally_sys::RALLY_WRONG_KIND => Code::WrongKind,
            rally_sys::RALLY_BUFFER_TOO_SMALL => Code::BufferTooSmall,
            rally_sys::RALLY_WRONG_MODEL => Code::WrongModel,
            rally_sys::RALLY_MISMATCH => Code::Mismatch,
            rally_sys::RALLY_CLOSED => Code::Closed,
            rally_sys::RALLY_BUSY => Code::Busy,
            rally_sys::RALLY_FORKED => Code::Forked,
            rally_sys::RALLY_CANCELLED => Code::Cancelled,
            rally_sys::RALLY_DEADLINE_EXCEEDED => Code::DeadlineExceeded,
            rally_sys::RALLY_OUT_OF_MEMORY => Code::OutOfMemory,
            rally_sys::RALLY_LIMIT_EXCEEDED => Code::LimitExceeded,
            rally_sys::RALLY_UNSUPPORTED => Code::Unsupported,
            rally_sys::RALLY_QUEUE_FULL => Code::QueueFull,
            rally_sys::RALLY_FILE_NOT_FOUND => Code::FileNotFound,
            rally_sys::RALLY_NOT_A_FILE => Code::NotAFile,
            rally_sys::RALLY_EMPTY_FILE => Code::EmptyFile,
            rally_sys::RALLY_IO => Code::Io,
            rally_sys::RALLY_CORRUPT_FILE => Code::CorruptFile,
            rally_sys::RALLY_NOT_A_RALLY_MODEL => Code::NotARallyModel,
            rally_sys::RALLY_UNSUPPORTED_VERSION => Code::UnsupportedVersion,
            rally_sys::RALLY_MISSING_KEY => Code::MissingKey,
            rally_sys::RALLY_UNKNOWN_KEY => Code::UnknownKey,
            rally_sys::RALLY_DUPLICATE_KEY => Code::DuplicateKey,
            rally_sys::RALLY_INVALID_VALUE => Code::InvalidValue,
            rally_sys::RALLY_MISSING_TENSOR => Code::MissingTensor,
            rally_sys::RALLY_UNKNOWN_TENSOR => Code::UnknownTensor,
            rally_sys::RALLY_DUPLICATE_TENSOR => Code::DuplicateTensor,
            rally_sys::RALLY_INVALID_SHAPE => Code::InvalidShape,
            rally_sys::RALLY_INVALID_DATA_TYPE => Code::InvalidDataType,
            rally_sys::RALLY_TRUNCATED_DATA => Code::TruncatedData,
            rally_sys::RALLY_NOT_FINITE => Code::NotFinite,
            rally_sys::RALLY_EXTERNAL_DATA_FORBIDDEN => Code::ExternalDataForbidden,
            rally_sys::RALLY_EXTERNAL_DATA_MISSING => Code::ExternalDataMissing,
            rally_sys::RALLY_EXTERNAL_DATA_RANGE => Code::ExternalDataRange,
            rally_sys::RALLY_INVALID_TOKENIZER => Code::InvalidTokenizer,
            other => Code::Other(other),
        }
    }
}
