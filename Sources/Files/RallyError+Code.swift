// Written by `make generate` from include/rally.h: change the header, not this file.

extension RallyError {
  /// The status codes of `rally.h`, with the same numbers.
  public enum Code: Int32, Sendable, CaseIterable {
    // The arguments of the call.
    /// NULL, misaligned or contradictory; a NaN or a number outside its range.
    case invalidArgument = 1
    /// A token id outside [0, vocab_size).
    case invalidToken = 2
    /// No rows, or a row without tokens.
    case emptyInput = 3
    /// A row longer than the model's max_position_embeddings.
    case contextExceeded = 4
    /// A rater asked to generate, a language model asked to rate.
    case wrongKind = 5
    /// The message says how much is needed.
    case bufferTooSmall = 6
    /// A saved state that another model, dtype or depth budget computed.
    case wrongModel = 7
    /// Two things that do not belong together, such as distributions of two raters.
    case mismatch = 8

    // The state of a handle or of the machine.
    case closed = 10
    /// Another call is running on this handle.
    case busy = 11
    /// The handle belongs to the parent process: open it again in this one.
    case forked = 12
    /// rally_runner_cancel, or a progress callback that returned non-zero.
    case cancelled = 13
    /// timeout_seconds went by.
    case deadlineExceeded = 14
    case outOfMemory = 15
    /// A limit of the options, such as max_file_bytes.
    case limitExceeded = 16
    /// A valid request that this library cannot serve; the message names it.
    case unsupported = 17
    /// As many unfinished requests as max_sequences and max_queue allow: submit again later.
    case queueFull = 18

    // The file as a file.
    case fileNotFound = 20
    /// A directory or a device.
    case notAFile = 21
    case emptyFile = 22
    /// The system's own message is in the error.
    case io = 23

    // The file as a model; docs/format.md describes what is expected.
    /// Not a protobuf message, cut off, or nested too deeply.
    case corruptFile = 30
    /// An ONNX model without `rally.` metadata.
    case notARallyModel = 31
    case unsupportedVersion = 32
    case missingKey = 33
    case unknownKey = 34
    case duplicateKey = 35
    case invalidValue = 36
    case missingTensor = 37
    case unknownTensor = 38
    case duplicateTensor = 39
    case invalidShape = 40
    case invalidDataType = 41
    /// Fewer or more bytes than shape and type ask for.
    case truncatedData = 42
    /// A NaN or an infinity among the weights, or among scores.
    case notFinite = 43
    /// Outside the model's folder, or from memory.
    case externalDataForbidden = 44
    case externalDataMissing = 45
    case externalDataRange = 46
    case invalidTokenizer = 47
  }
}
