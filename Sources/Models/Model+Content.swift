package import Files

extension Model {
  /// SHA-256 over the digests of the file and of its external data files, in the order they are first named.
  package func contentDigest() throws(RallyError) -> [UInt8] {
    guard let path else {
      throw RallyError(.unsupported, "fingerprint", expected: "a model from a file", found: "one from memory")
    }
    if let known = knownContentDigest.withLock({ $0 }) { return known }
    let folder = Self.folder(of: path)
    let digest = try Self.contentDigest([path] + externalLocations.map { folder + $0 })
    knownContentDigest.withLock { $0 = digest }
    return digest
  }

  /// With its last `/`.
  package static func folder(of path: String) -> String {
    path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
  }

  package static func contentDigest(_ paths: [String]) throws(RallyError) -> [UInt8] {
    var content = SHA256()
    for path in paths { content.update(try digest(path)) }
    return content.finalize()
  }

  private static func digest(_ path: String) throws(RallyError) -> [UInt8] {
    let file = try MappedFile(path: path)
    var hash = SHA256()
    unsafe hash.update(file.bytes)
    return hash.finalize()
  }
}
