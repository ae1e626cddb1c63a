import Glibc

/// A file, or standard input by the name `-`; packed by gzip or zstd it is read as what was packed.
struct TextInput: ~Copyable {
  static let standard = "-"

  let name: String
  private let descriptor: CInt
  private var buffer: [UInt8] = []
  private var start = 0
  private var isAtEnd = false
  /// Nothing was read yet: a byte order mark may come, which is no part of the text.
  private var isAtBeginning = true
  /// Bytes as stored, of a packed file, that are still to be unpacked.
  private var packed: [UInt8] = []
  private var unpacker: Unpacker?
  /// The last step filled its room: more may come without more bytes.
  private var mayHaveMore = false
  /// Bytes as stored that were read.
  private(set) var readCount = 0

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

  /// Bytes of all files; 0 where one of them is a stream, or there are none.
  static func size(of paths: [String]) -> Int {
    var total = 0
    for path in paths {
      var status = stat()
      guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return 0 }
      total += Int(status.st_size)
    }
    return total
  }

  /// Whether the next line would have to be waited for: nothing of it is there, and nothing comes at the moment.
  var isWaiting: Bool {
    guard !isAtEnd, packed.isEmpty, !mayHaveMore, !buffer[start...].contains(UInt8(ascii: "\n")) else { return false }
    var events = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&events, 1, 0) == 0
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
        return Self.bare(buffer[start..<end])
      }
      searched = buffer.count - start
      if isAtEnd {
        defer { start = buffer.count }
        return start < buffer.count ? Self.bare(buffer[start...]) : nil
      }
      try fill()
    }
  }

  /// Reads on, at the beginning as far as a byte order mark would reach.
  private mutating func fill() throws(CommandFailure) {
    try read()
    guard isAtBeginning else { return }
    isAtBeginning = false
    try unpackIfPacked()
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    while !isAtEnd && buffer.count < mark.count && mark.starts(with: buffer) { try read() }
    if buffer.starts(with: mark) { buffer.removeFirst(mark.count) }
  }

  /// At the beginning: finds out whether the file is packed, and unpacks what is there then.
  private mutating func unpackIfPacked() throws(CommandFailure) {
    while !isAtEnd && Packing.mayBegin(with: buffer) { try read() }
    guard let packing = Packing.of(buffer) else { return }
    guard let unpacker = Unpacker(packing) else { throw CommandFailure(.file, "\(name): \(packing.advice)") }
    self.unpacker = unpacker
    (packed, buffer) = (buffer, [])
    try unpack()
  }

  /// What was taken leaves the buffer first, so that indices count from `start`.
  private mutating func read() throws(CommandFailure) {
    if start > 0 {
      buffer.removeSubrange(..<start)
      start = 0
    }
    if unpacker != nil { return try unpack() }
    isAtEnd = try Self.readOn(descriptor, name, into: &buffer, count: &readCount) == 0
  }

  /// Unpacks until there is something more, or the end.
  private mutating func unpack() throws(CommandFailure) {
    let known = buffer.count
    var isWhole = true
    while buffer.count == known {
      if packed.isEmpty && !mayHaveMore {
        isWhole = try Self.readOn(descriptor, name, into: &packed, count: &readCount) > 0
      }
      let isBetween = unpacker?.isBetweenMembers ?? true
      guard isWhole || !isBetween else {
        isAtEnd = true
        return
      }
      let room = 1 << 16
      guard isWhole, let taken = unpacker?.step(packed[...], into: &buffer, size: room) else {
        let what = isWhole ? "the packed bytes are damaged" : "the file ends before its packed bytes do"
        throw CommandFailure(.file, "\(name): \(what) after \(bytes(readCount - packed.count))")
      }
      packed.removeSubrange(..<taken)
      mayHaveMore = buffer.count - known == room
    }
  }

  /// - Returns: the number of bytes that were appended; 0 at the end.
  private static func readOn(
    _ descriptor: CInt, _ name: String, into buffer: inout [UInt8], count total: inout Int
  ) throws(CommandFailure) -> Int {
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
    total += count
    return count
  }

  /// A line without its carriage return, and without a byte order mark, which stands where files were put together.
  private static func bare(_ line: ArraySlice<UInt8>) -> [UInt8] {
    let line = line.starts(with: [0xEF, 0xBB, 0xBF]) ? line.dropFirst(3) : line
    return Array(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
  }
}
