import Rally

/// What the program's exit code says.
enum ExitStatus: Int32, CaseIterable {
  case success = 0
  case partial = 1
  case arguments = 2
  case file = 3
  case model = 4
  case input = 5
  case memory = 6
  case interrupted = 130

  var meaning: String {
    switch self {
    case .success: "done"
    case .partial: "done, but lines were left out (score --keep-going)"
    case .arguments: "wrong arguments"
    case .file: "a file cannot be read or written"
    case .model: "the model is broken, of the wrong kind, or needs what this version lacks"
    case .input: "the text, tokens or lines cannot be used"
    case .memory: "not enough memory, or a limit was exceeded"
    case .interrupted: "ended by Ctrl-C"
    }
  }

  init(_ code: RallyError.Code) {
    switch code {
    case .invalidArgument, .bufferTooSmall, .mismatch: self = .arguments
    case .invalidToken, .emptyInput, .contextExceeded: self = .input
    case .outOfMemory, .limitExceeded: self = .memory
    case .cancelled, .deadlineExceeded: self = .interrupted
    case .fileNotFound, .notAFile, .emptyFile, .io: self = .file
    default: self = .model
    }
  }
}
