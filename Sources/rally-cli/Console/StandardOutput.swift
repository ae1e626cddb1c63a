import Glibc

/// Standard output, buffered here: a full disk is an error and not a line that is missing.
final class StandardOutput {
  let isTerminal = isatty(STDOUT_FILENO) == 1
  let style = Style(isColoured: Style.allowsColour(STDOUT_FILENO))
  private var buffer: [UInt8] = []

  func write(_ text: String) throws(CommandFailure) { try write(text.utf8) }

  func write(_ bytes: some Collection<UInt8>) throws(CommandFailure) {
    buffer.append(contentsOf: bytes)
    if buffer.count >= 1 << 16 { try flush() }
  }

  func line(_ text: String) throws(CommandFailure) { try write(text + "\n") }

  func flush() throws(CommandFailure) {
    guard let code = writeAll(buffer, to: STDOUT_FILENO) else { return buffer.removeAll(keepingCapacity: true) }
    throw CommandFailure(.file, "standard output: \(systemMessage(code))")
  }
}

/// Standard error, unbuffered. What cannot be written there cannot be said at all.
enum StandardError {
  static let isTerminal = isatty(STDERR_FILENO) == 1
  static let style = Style(isColoured: Style.allowsColour(STDERR_FILENO))

  static func write(_ text: String) { _ = writeAll(Array(text.utf8), to: STDERR_FILENO) }
  static func line(_ text: String) { write(text + "\n") }

  /// Columns of the terminal.
  static var width: Int {
    var size = winsize()
    guard unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}

/// The system's words for an error number.
func systemMessage(_ code: CInt) -> String {
  guard let text = unsafe strerror(code) else { return "error \(code)" }
  return unsafe String(cString: text)
}

/// - Returns: nil, or the error number of what could not be written.
private func writeAll(_ bytes: [UInt8], to descriptor: CInt) -> CInt? {
  var done = 0
  while done < bytes.count {
    let count = unsafe bytes.withUnsafeBytes { buffer in
      unsafe Glibc.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
    }
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { return errno }
    done += count
  }
  return nil
}
