import CHost
import Glibc

/// A regular file that is open for reading; closed with its owner.
package struct OpenedFile: ~Copyable {
  package let path: String
  package let byteCount: Int
  let descriptor: CInt

  /// Opens `path`, following links.
  /// - Throws: `fileNotFound`, `notAFile`, `io`; each names the path.
  package init(path: String) throws(RallyError) {
    guard !path.utf8.contains(0) else {
      throw RallyError(
        .fileNotFound, path.filter { $0 != "\0" }, expected: "a path", found: "one with a NUL in it")
    }
    // Without O_NONBLOCK, opening a pipe would wait for a program to write into it.
    let descriptor = SystemPath.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw RallyError(errno: errno, path: path) }
    try self.init(descriptor: descriptor, path: path)
  }

  /// Takes over `descriptor`.
  init(descriptor: CInt, path: String) throws(RallyError) {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw RallyError(errno: code, path: path)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      let isDirectory = status.st_mode & S_IFMT == S_IFDIR
      throw RallyError(
        .notAFile, path, expected: "a regular file",
        found: isDirectory ? "a directory" : "a device, pipe or socket")
    }
    self.path = path
    self.descriptor = descriptor
    byteCount = Int(status.st_size)
  }

  deinit { close(descriptor) }

  /// Where the file is on the disk, its length and its times: another text, another content.
  package func signature() -> String {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { return "none" }
    let times = [status.st_mtim, status.st_ctim].map { "\($0.tv_sec).\($0.tv_nsec)" }.joined(separator: " ")
    return "\(status.st_dev) \(status.st_ino) \(status.st_size) \(times)"
  }

  /// Where the file really lies: absolute and without links.
  /// - Throws: `io` when the system does not say.
  package func realPath() throws(RallyError) -> String {
    let link = "/proc/self/fd/\(descriptor)"
    // PATH_MAX with its NUL; what does not fit is an error below, never cut.
    let capacity = 4096
    let name = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { buffer -> String? in
      guard let base = buffer.baseAddress else { return nil }
      let count = unsafe readlink(link, base, capacity - 1)
      guard count > 0, count < capacity - 1 else { return nil }
      unsafe base[count] = 0
      return unsafe SystemPath.text(base)
    }
    if let name, name.utf8.first == UInt8(ascii: "/") { return name }
    return try realPathByName()
  }

  /// The same where /proc is not mounted: what the path leads to, if it still is this file.
  private func realPathByName() throws(RallyError) -> String {
    guard let found = unsafe SystemPath.with(path, { unsafe realpath($0, nil) }) else { throw RallyError(errno: errno, path: path) }
    defer { unsafe free(found) }
    let name = unsafe SystemPath.text(found)
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, FileIdentity(path: name) == FileIdentity(status) else {
      throw RallyError(.io, path, expected: "the file that was opened", found: "another one")
    }
    return name
  }

  /// Maps the whole file.
  @unsafe
  func map() throws(RallyError) -> UnsafeMutableRawPointer {
    guard let address = unsafe mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0),
      unsafe address != MAP_FAILED
    else { throw RallyError(errno: errno, path: path) }
    return unsafe address
  }

  /// Reads the whole file into memory that `free` gives back, aligned as a mapped file is.
  @unsafe
  func copyBytes() throws(RallyError) -> UnsafeMutableRawPointer {
    var raw: UnsafeMutableRawPointer?
    guard unsafe posix_memalign(&raw, 4096, byteCount) == 0, let block = unsafe raw else {
      throw RallyError(.outOfMemory, path, expected: "\(byteCount) bytes of memory", found: "none")
    }
    do throws(RallyError) {
      try unsafe read(into: UnsafeMutableRawBufferPointer(start: block, count: byteCount), at: 0)
    } catch {
      unsafe free(block)
      throw error
    }
    return unsafe block
  }

  /// Fills `buffer` with the bytes from `offset` on, without mapping them: a file that is cut meanwhile is an error.
  @unsafe
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(RallyError) {
    var done = 0
    while done < buffer.count, let base = buffer.baseAddress {
      let count = unsafe pread(descriptor, base + done, buffer.count - done, off_t(offset + done))
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw RallyError(errno: errno, path: path) }
      guard count > 0 else {
        throw RallyError(
          .io, path, expected: "\(offset + buffer.count) bytes", found: "\(offset + done): the file was cut short")
      }
      done += count
    }
  }
}

extension RallyError {
  /// What the system said about `path`.
  init(errno code: CInt, path: String) {
    switch code {
    case ENOENT, ENOTDIR:
      self.init(.fileNotFound, path, expected: "a file", found: "none")
    case ENOMEM:
      self.init(.outOfMemory, path, expected: "memory to open it", found: "none")
    default:
      self.init(.io, path, expected: "a readable file", found: Self.systemMessage(code))
    }
  }

  /// What the system said about `path`, which was to be written.
  init(errno code: CInt, writing path: String) {
    self.init(.io, path, expected: "a file that can be written", found: Self.systemMessage(code))
  }

  private static func systemMessage(_ code: CInt) -> String {
    guard let text = unsafe rh_system_message(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }
}
