package import Glibc

/// Paths of any bytes as text, and back.
///
/// A path of the system is bytes, which need not be UTF-8; inside, and in messages, a path is text. A byte that is no part of
/// UTF-8 becomes one of the last 128 private scalars, U+10FF80 … U+10FFFF, and so do the bytes of those scalars themselves, so that
/// every path has one text and every text one path.
package enum SystemPath {
  private static let firstScalar: UInt32 = 0x10FF80

  package static func text(_ path: UnsafePointer<CChar>) -> String {
    if let text = unsafe String(validatingCString: path), !holdsBytes(text) { return text }
    var (bytes, scalars) = (unsafe [UInt8](UnsafeRawBufferPointer(start: path, count: strlen(path))), String.UnicodeScalarView())
    while !bytes.isEmpty {
      let (scalar, count) = first(of: bytes)
      if let scalar { scalars.append(scalar) } else { scalars.append(contentsOf: bytes[..<count].compactMap { Self.scalar(for: $0) }) }
      bytes.removeFirst(count)
    }
    return String(scalars)
  }

  /// Calls `body` with the path that `text` stands for.
  package static func with<Result>(_ text: String, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    guard holdsBytes(text) else { return unsafe text.withCString(body) }
    var bytes: [CChar] = []
    for scalar in text.unicodeScalars {
      if let byte = byte(of: scalar) {
        bytes.append(CChar(bitPattern: byte))
      } else {
        bytes.append(contentsOf: UTF8.encode(scalar).map { $0.map { CChar(bitPattern: $0) } } ?? [])
      }
    }
    bytes.append(0)
    return unsafe bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { preconditionFailure("it has a NUL at least") }
      return unsafe body(base)
    }
  }

  /// What `open` of the system answers, but never a number of the standard streams: a host that has closed those, and prints,
  /// would write into the file.
  package static func open(_ path: String, _ flags: CInt, _ mode: mode_t = 0) -> CInt {
    var descriptor: CInt
    repeat { descriptor = unsafe with(path) { unsafe Glibc.open($0, flags, mode) } } while descriptor < 0 && errno == EINTR
    guard 0...2 ~= descriptor else { return descriptor }
    let moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
    let code = errno
    close(descriptor)
    if moved < 0, flags & O_EXCL != 0 { remove(path) }
    errno = code
    return moved
  }

  /// Takes a file away, if it is there.
  package static func remove(_ path: String) { _ = unsafe with(path) { unsafe unlink($0) } }

  /// Makes a folder where none is; not those above it.
  /// - Throws: `io`.
  package static func makeFolder(_ path: String) throws(RallyError) {
    guard unsafe with(path, { unsafe mkdir($0, 0o777) }) != 0, errno != EEXIST else { return }
    throw RallyError(errno: errno, writing: path)
  }

  /// The byte that a scalar stands for, or nil.
  package static func byte(of scalar: Unicode.Scalar) -> UInt8? {
    scalar.value >= firstScalar ? UInt8(truncatingIfNeeded: scalar.value - firstScalar + 0x80) : nil
  }

  private static func scalar(for byte: UInt8) -> Unicode.Scalar? { Unicode.Scalar(firstScalar + UInt32(byte) - 0x80) }

  private static func holdsBytes(_ text: String) -> Bool { text.unicodeScalars.contains { byte(of: $0) != nil } }

  /// The scalar that the bytes begin with and its length; nil for bytes to be kept as they are.
  private static func first(of bytes: [UInt8]) -> (Unicode.Scalar?, Int) {
    var parser = Unicode.UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    guard case .valid(let encoded) = parser.parseScalar(from: &iterator) else { return (nil, 1) }
    let scalar = Unicode.UTF8.decode(encoded)
    return (byte(of: scalar) == nil ? scalar : nil, encoded.count)
  }
}
