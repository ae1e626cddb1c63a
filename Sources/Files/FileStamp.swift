import Glibc

/// What tells without reading it that a file is the same as before: its length, and when it was changed last.
package struct FileStamp: Equatable, Sendable {
  package let byteCount: Int
  /// Nanoseconds since 1970.
  package let changed: Int

  package init(byteCount: Int, changed: Int) {
    (self.byteCount, self.changed) = (byteCount, changed)
  }

  /// Nil where no regular file is there.
  package init?(path: String) {
    var status = stat()
    guard unsafe SystemPath.with(path, { unsafe stat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    byteCount = Int(status.st_size)
    changed = Int(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(status.st_mtim.tv_nsec)
  }
}
