import Glibc

/// A file, or standard input by the name `-`.
struct TextInput: ~Copyable {
  static let standard = "-"

  let name: String
  private let descriptor: CInt
  private var buffer: [UInt8] = []
  private var start = 0
  private var isAtEnd = false
  /// Nothing was read yet: a byte order mark may come, which is no part of the text.
  private var isAtBeginning = true

  init(path: String) throws(CommandFailure) {
    if path == Self.standard {
      name = "standard input"
      descriptor = STDIN_FILENO
      return
    }
    name = path
    descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw CommandFailure(.file, "\(path): \(systemMessage(errno))") }
  }

  deinit {
    if descriptor != STDIN_FILENO { close(descriptor) }
  }

  static var standardIsTerminal: Bool { isatty(STDIN_FILENO) == 1 }

  /// Everything that is left.
  mutating func readAll() throws(CommandFailure) -> [UInt8] {
    while !isAtEnd { try fill() }
    defer { start = buffer.count }
    return Array(buffer[start...])
  }

  /// The next line without its end, or nil. A last line needs no end.
  mutating func readLine() throws(CommandFailure) -> [UInt8]? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { start = end + 1 }
        return Self.withoutReturn(buffer[start..<end])
      }
      searched = buffer.count - start
      if isAtEnd {
        defer { start = buffer.count }
        return start < buffer.count ? Self.withoutReturn(buffer[start...]) : nil
      }
      try fill()
    }
  }

  /// Reads on, at the beginning as far as a byte order mark would reach.
  private mutating func fill() throws(CommandFailure) {
    try read()
    guard isAtBeginning else { return }
    isAtBeginning = false
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    while !isAtEnd && buffer.count < mark.count && mark.starts(with: buffer) { try read() }
    if buffer.starts(with: mark) { buffer.removeFirst(mark.count) }
  }

  /// What was taken leaves the buffer first, so that indices count from `start`.
  private mutating func read() throws(CommandFailure) {
    if start > 0 {
      buffer.removeSubrange(..<start)
      start = 0
    }
    let size = 1 << 16
    let known = buffer.count
    buffer.append(contentsOf: repeatElement(0, count: size))
    var count = -1
    repeat {
      count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress! + known, size) }
    } while count < 0 && errno == EINTR
    let code = errno
    buffer.removeSubrange((known + max(0, count))...)
    guard count >= 0 else { throw CommandFailure(.file, "\(name): \(systemMessage(code))") }
    isAtEnd = count == 0
  }

  private static func withoutReturn(_ line: ArraySlice<UInt8>) -> [UInt8] {
    Array(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
  }
}
