import Glibc
import Synchronization

/// A file that is being written, under a name of its own until it is whole.
///
/// `commit` puts it in its place in one step: whoever opens the path finds what was there before, or all of the new
/// file. A file that is not committed leaves with its owner.
package struct ReplacementFile: ~Copyable {
  private static let count = Atomic<Int>(0)

  /// Where the file shall stand.
  package let path: String
  /// Where it stands until then, in the same folder.
  package let temporaryPath: String
  package private(set) var byteCount = 0
  private let descriptor: CInt
  private var isCommitted = false

  /// Who may read and write it: those who may read and write what it takes the place of; where nothing stands there, those
  /// who may `model`, as far as the process lets them read new files.
  ///
  /// - Parameter model: the file that it is made of.
  /// - Throws: `notAFile` where `path` is a folder or a device; `io` in the system's words.
  package init(path: String, madeOf model: String? = nil) throws(RallyError) {
    guard !path.isEmpty, !path.utf8.contains(0), path.utf8.last != UInt8(ascii: "/") else {
      throw RallyError(
        .notAFile, path.isEmpty ? "output" : path.filter { $0 != "\0" }, expected: "the path of a file",
        found: path.isEmpty ? "an empty one" : "another")
    }
    if let kind = FileIdentity.kind(of: path), kind != S_IFREG {
      throw RallyError(
        .notAFile, path, expected: "a regular file, or none yet",
        found: kind == S_IFDIR ? "a directory" : "a device, pipe or socket")
    }
    let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
    let standing = FileIdentity.permissions(of: path)
    let mode = standing ?? model.flatMap(FileIdentity.permissions) ?? 0o666
    var name = ""
    var opened: CInt = -1
    // A process of the same number may have died here.
    for _ in 0..<1000 {
      name = "\(folder).rally-\(getpid())-\(Self.count.add(1, ordering: .relaxed).newValue).tmp"
      opened = SystemPath.open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
      if opened >= 0 || errno != EEXIST { break }
    }
    guard opened >= 0 else { throw RallyError(errno: errno, writing: path) }
    // A new file has less where the process takes bits away; one that stood there keeps all of its own.
    if let standing, fchmod(opened, standing) != 0 {
      let code = errno
      close(opened)
      _ = unsafe SystemPath.with(name) { unsafe unlink($0) }
      throw RallyError(errno: code, writing: path)
    }
    self.path = path
    temporaryPath = name
    descriptor = opened
  }

  deinit {
    close(descriptor)
    if !isCommitted { _ = unsafe SystemPath.with(temporaryPath) { unsafe unlink($0) } }
  }

  @unsafe
  package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(RallyError) {
    try unsafe put(bytes, at: byteCount)
    byteCount += bytes.count
  }

  /// Puts `bytes` in the place of those that were written from `offset` on.
  @unsafe
  package func overwrite(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(RallyError) {
    precondition(offset + bytes.count <= byteCount)
    try unsafe put(bytes, at: offset)
  }

  @unsafe
  private func put(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(RallyError) {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let count = Self.withoutSizeSignal { unsafe pwrite(descriptor, base + done, bytes.count - done, off_t(offset + done)) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw RallyError(errno: count < 0 ? errno : EIO, writing: path) }
      done += count
    }
  }

  /// Answers what `write` does. At the process's limit of file sizes that is EFBIG alone: the signal that the system sends along
  /// would end the host.
  private static func withoutSizeSignal(_ write: () -> Int) -> Int {
    var signal = sigset_t()
    var before = sigset_t()
    var pending = sigset_t()
    unsafe sigemptyset(&signal)
    unsafe sigaddset(&signal, SIGXFSZ)
    unsafe pthread_sigmask(SIG_BLOCK, &signal, &before)
    unsafe sigpending(&pending)
    let count = write()
    let code = errno
    if count < 0, code == EFBIG, unsafe sigismember(&pending, SIGXFSZ) == 0 {
      var atOnce = timespec()
      unsafe _ = sigtimedwait(&signal, nil, &atOnce)
    }
    unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
    errno = code
    return count
  }

  /// Takes from everybody the right to write into it: it can be replaced, and not be changed where it stands.
  package func protect() throws(RallyError) {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, fchmod(descriptor, status.st_mode & 0o444) == 0 else {
      throw RallyError(errno: errno, writing: path)
    }
  }

  /// Writes zeros up to the next multiple of `alignment`.
  package mutating func align(to alignment: Int) throws(RallyError) {
    let missing = (alignment - byteCount % alignment) % alignment
    guard missing > 0 else { return }
    try write([UInt8](repeating: 0, count: missing))
  }

  package mutating func write<Element: BitwiseCopyable>(_ values: [Element]) throws(RallyError) {
    var failure: RallyError?
    unsafe values.withUnsafeBytes { bytes in
      do throws(RallyError) { try unsafe write(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Waits until the disk has all of it.
  package func synchronize() throws(RallyError) {
    guard fsync(descriptor) == 0 else { throw RallyError(errno: errno, writing: path) }
  }

  /// Takes the place of what stands at `path`, on the disk too.
  ///
  /// - Parameter yields: what stands there meanwhile stays, and this file leaves: it holds the same.
  package mutating func commit(yields: Bool = false) throws(RallyError) {
    try synchronize()
    if yields, linkUnlessThere() { return }
    let status = unsafe SystemPath.with(temporaryPath) { from in unsafe SystemPath.with(path) { to in unsafe rename(from, to) } }
    guard status == 0 else { throw RallyError(errno: errno, writing: path) }
    isCommitted = true
    // The name is safe once its folder is; a file system without that has nothing to say.
    let name = path.utf8.contains(UInt8(ascii: "/")) ? OpenedFile.parent(of: path) : "."
    let folder = SystemPath.open(name, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { return }
    _ = fsync(folder)
    close(folder)
  }

  /// Whether something stands at `path` now: this file, or what another process put there. Not every file system has links.
  private func linkUnlessThere() -> Bool {
    let status = unsafe SystemPath.with(temporaryPath) { from in unsafe SystemPath.with(path) { to in unsafe link(from, to) } }
    return status == 0 || errno == EEXIST
  }

  /// Takes a committed file away again.
  package func withdraw() {
    if isCommitted { _ = unsafe SystemPath.with(path) { unsafe unlink($0) } }
  }
}
