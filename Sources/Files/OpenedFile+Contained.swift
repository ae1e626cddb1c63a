import Glibc

extension OpenedFile {
  /// Opens `location`, a path relative to one of `folders`, and answers only if the file that was
  /// opened really lies beneath one of them, whatever links are on the way.
  ///
  /// The check looks at the open descriptor, not at the path, so that replacing a link between check
  /// and use gains nothing.
  ///
  /// - Parameters:
  ///   - folders: absolute paths without links; the first that has the file wins.
  ///   - subject: what the data belongs to, for errors.
  /// - Throws: `externalDataForbidden` for a location that is absolute, empty, has `..` or a NUL in
  ///   it, or leads out; `externalDataMissing`; `notAFile`; `io`.
  package static func open(
    _ location: String, beneath folders: [String], for subject: String
  ) throws(RallyError) -> OpenedFile {
    if let reason = refusal(of: location) {
      throw RallyError(
        .externalDataForbidden, subject, expected: "a location beneath the model's folder", found: reason)
    }
    for folder in folders {
      let path = prefix(folder) + location
      let descriptor = SystemPath.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
      let code = errno
      if descriptor < 0, code == ENOENT || code == ENOTDIR { continue }
      guard descriptor >= 0 else { throw RallyError(errno: code, path: path) }
      let file = try OpenedFile(descriptor: descriptor, path: path)
      let real = try file.realPath()
      guard folders.contains(where: { real.utf8.starts(with: prefix($0).utf8) }) else {
        throw RallyError(
          .externalDataForbidden, subject, expected: "a location beneath the model's folder",
          found: "a link that leads out of it")
      }
      return file
    }
    throw RallyError(
      .externalDataMissing, subject, expected: "its data in a file next to the model", found: "no such file",
      remedy: "copy the data file along with the model")
  }

  /// The folder that `path` names, absolute and without links.
  /// - Throws: `io`.
  package static func realFolder(of path: String) throws(RallyError) -> String {
    let folder = path.utf8.contains(UInt8(ascii: "/")) ? parent(of: path) : "."
    guard let name = unsafe SystemPath.with(folder, { unsafe realpath($0, nil) }) else { throw RallyError(errno: errno, path: folder) }
    defer { unsafe free(name) }
    return unsafe SystemPath.text(name)
  }

  /// What stands before the last slash of `path`; `/` for a file at the root.
  package static func parent(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  private static func prefix(_ folder: String) -> String { folder == "/" ? "/" : folder + "/" }

  /// Whether `location` leads to a place beneath the folder that it begins at, links aside.
  package static func staysBeneath(_ location: String) -> Bool { refusal(of: location) == nil }

  private static func refusal(of location: String) -> String? {
    if location.isEmpty { return "no location" }
    if location.utf8.contains(0) { return "one with a NUL in it" }
    if location.utf8.first == UInt8(ascii: "/") { return "an absolute path" }
    let parts = location.utf8.split(separator: UInt8(ascii: "/"))
    return parts.contains { $0.elementsEqual("..".utf8) } ? "one with .. in it" : nil
  }
}
