import Curation
import Tensors

extension Model {
  /// 64 hexadecimal digits that stand for the file's content and the options that change scores: what Python's
  /// `Scorer.fingerprint` says of the same file. Reads the whole file.
  ///
  /// - Throws: `unsupported` for a model from memory; what opening a file throws.
  public func scorerFingerprint(squashes: Bool) throws(RallyError) -> String {
    guard let path else {
      throw RallyError(.unsupported, "fingerprint", expected: "a model from a file", found: "one from memory")
    }
    let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
    var content = SHA256()
    content.update(try Self.digest(path))
    for location in externalLocations { content.update(try Self.digest(folder + location)) }
    var all = SHA256()
    all.update("rally scorer 1\0\(info.dataType)\0squash \(squashes ? "True" : "False")\0".utf8)
    all.update(content.finalize())
    return all.finalize().map { byte in byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16) }.joined()
  }

  private static func digest(_ path: String) throws(RallyError) -> [UInt8] {
    let file = try MappedFile(path: path)
    var hash = SHA256()
    let step = 1 << 20
    for start in stride(from: 0, to: file.byteCount, by: step) {
      unsafe hash.update(file.bytes[start..<min(start + step, file.byteCount)])
    }
    return hash.finalize()
  }
}
