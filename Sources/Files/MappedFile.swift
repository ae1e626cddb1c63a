import Glibc

/// The bytes of a regular file, read-only, for as long as this object lives.
///
/// Use it for model files and their external data: opening costs nothing per byte, and pages that
/// are not looked at are never read. `Access.copied` reads the whole file into memory instead, at
/// the cost of its size, for a file that another program may cut short meanwhile: touching a mapped
/// page after the new end raises SIGBUS, which no library can answer.
@safe
public final class MappedFile: @unchecked Sendable {  // nothing writes to the bytes
  public enum Access: Sendable {
    case mapped
    case copied
  }

  public let path: String
  public let byteCount: Int
  @unsafe private let base: UnsafeMutableRawPointer
  private let access: Access
  private let watch: FileWatch?

  /// Opens `path`, following links.
  ///
  /// - Throws: `fileNotFound`; `notAFile` for a directory or a device; `emptyFile`;
  ///   `limitExceeded` beyond `maxByteCount`; `outOfMemory` for a copy; `io` with the system's own
  ///   words for everything else. Each names the path.
  public convenience init(
    path: String, access: Access = .mapped, maxByteCount: Int = .max
  ) throws(RallyError) {
    let descriptor = try OpenedFile(path: path)
    try self.init(descriptor, access: access, maxByteCount: maxByteCount)
  }

  /// The bytes of a file that was opened by other means; `file` may be let go afterwards.
  /// - Parameter isWatched: keeps the file open, so that `checkLength` can tell.
  package init(
    _ file: borrowing OpenedFile, access: Access, maxByteCount: Int, isWatched: Bool = false
  ) throws(RallyError) {
    let size = file.byteCount
    guard size > 0 else {
      throw RallyError(.emptyFile, file.path, expected: "a model", found: "0 bytes")
    }
    guard size <= maxByteCount else {
      throw RallyError(
        .limitExceeded, file.path, expected: "at most \(maxByteCount) bytes", found: "\(size) bytes",
        remedy: "raise max_file_bytes")
    }
    unsafe base =
      switch access {
      case .mapped: unsafe try file.map()
      case .copied: unsafe try file.copyBytes()
      }
    path = file.path
    byteCount = size
    watch = isWatched && access == .mapped ? FileWatch(file) : nil
    self.access = access
  }

  deinit {
    switch access {
    case .mapped: unsafe _ = munmap(base, byteCount)
    case .copied: unsafe free(base)
    }
  }

  /// Makes sure that the file is as long as when it was mapped, if it is watched. Two system calls.
  /// - Throws: `io`.
  package func checkLength() throws(RallyError) {
    guard let watch, let length = watch.byteCount, length < byteCount else { return }
    throw RallyError(
      .io, path, expected: "\(byteCount) bytes, as when it was opened", found: "\(length): the file was cut",
      remedy: "prepare it again and open it again")
  }

  /// All bytes; valid while this object lives.
  @unsafe
  public var bytes: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: base, count: byteCount)
  }

  /// Lets the pages inside `range` leave memory; they are read from the file again when touched.
  ///
  /// Of use after a large tensor was converted. Nothing happens for a copied file, nor for a range
  /// that is not part of this file.
  @unsafe
  public func release(_ range: UnsafeRawBufferPointer) {
    guard access == .mapped, let start = range.baseAddress else { return }
    let pageSize = sysconf(CInt(_SC_PAGESIZE))
    let offset = unsafe start - UnsafeRawPointer(base)
    guard pageSize > 0, offset >= 0, range.count <= byteCount, offset <= byteCount - range.count
    else { return }
    // Only whole pages: the first and the last may hold a neighbour.
    let first = (offset + pageSize - 1) / pageSize * pageSize
    let last = (offset + range.count) / pageSize * pageSize
    guard first < last else { return }
    unsafe _ = madvise(base + first, last - first, CInt(MADV_DONTNEED))
  }
}
