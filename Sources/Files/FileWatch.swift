import Glibc

/// An open file whose length is asked for from time to time.
///
/// A host may close all of its descriptors, and get the same number for another file: whether it still is the same one is
/// looked at before anything else.
final class FileWatch: Sendable {
  private let descriptor: CInt
  private let identity: FileIdentity

  /// Nil where the system has no descriptor to spare: then nothing is watched.
  init?(_ file: borrowing OpenedFile) {
    var status = stat()
    guard unsafe fstat(file.descriptor, &status) == 0 else { return nil }
    // Not one of the standard streams.
    let copy = fcntl(file.descriptor, F_DUPFD_CLOEXEC, 3)
    guard copy >= 0 else { return nil }
    descriptor = copy
    identity = FileIdentity(status)
  }

  deinit { if status != nil { close(descriptor) } }

  /// Nil where it cannot be told any more.
  var byteCount: Int? { status.map { Int($0.st_size) } }

  private var status: stat? {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, FileIdentity(status) == identity else { return nil }
    return status
  }
}
