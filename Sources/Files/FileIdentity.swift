import Glibc

/// Which file a path leads to, whatever its name.
package struct FileIdentity: Equatable, Sendable {
  private let device: dev_t
  private let node: ino_t
  package let isFolder: Bool

  /// Nil where there is no file.
  package init?(path: String) {
    guard let status = Self.status(of: path) else { return nil }
    self.init(status)
  }

  init(_ status: stat) {
    (device, node) = (status.st_dev, status.st_ino)
    isFolder = status.st_mode & S_IFMT == S_IFDIR
  }

  /// The bits of `S_IFMT`, or nil where there is no file.
  static func kind(of path: String) -> mode_t? { status(of: path).map { $0.st_mode & S_IFMT } }

  /// Read and write bits of owner, group and others, or nil where there is no file.
  static func permissions(of path: String) -> mode_t? { status(of: path).map { $0.st_mode & 0o666 } }

  private static func status(of path: String) -> stat? {
    var status = stat()
    return unsafe SystemPath.with(path) { unsafe stat($0, &status) } == 0 ? status : nil
  }
}
