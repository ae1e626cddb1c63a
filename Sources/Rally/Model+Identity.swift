import Curation
public import Files
public import Models
import Synchronization

extension Model {
  /// 64 hexadecimal digits that stand for the file's content and for what changes its scores: the type of the products and, of a
  /// rater, squash. The same on every machine and for every name of the file. Reads the whole file, the first time.
  ///
  /// - Throws: `unsupported` for a model from memory; what opening a file throws.
  public func scoreFingerprint(squashes: Bool = false) throws(RallyError) -> String {
    let content = try contentDigest()
    var all = SHA256()
    if info.kind == .rater {
      all.update("rally scorer 1\0\(info.dataType)\0squash \(squashes ? "True" : "False")\0".utf8)
    } else {
      all.update("rally perplexity 1\0\(info.dataType)\0".utf8)
    }
    all.update(content)
    return all.finalize().map { byte in byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16) }.joined()
  }

  /// What a distribution of this model's scores is labelled with. See `ScoreLabel`.
  ///
  /// - Throws: as `scoreFingerprint`; `invalidArgument`.
  public func scoreLabel(_ reading: ScoreReading = ScoreReading(), squashes: Bool = false) throws(RallyError) -> ScoreLabel {
    try reading.check()
    return ScoreLabel(
      fingerprint: try scoreFingerprint(squashes: squashes), isPerplexity: info.kind == .languageModel, reading: reading,
      contextLength: info.reading?.tokenCount ?? info.contextLength)
  }

  /// SHA-256 over the digests of the file and of its external data files, in the order they are first named.
  private func contentDigest() throws(RallyError) -> [UInt8] {
    guard let path else {
      throw RallyError(.unsupported, "fingerprint", expected: "a model from a file", found: "one from memory")
    }
    if let known = knownContentDigest.withLock({ $0 }) { return known }
    let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? ""
    var content = SHA256()
    content.update(try Self.digest(path))
    for location in externalLocations { content.update(try Self.digest(folder + location)) }
    let digest = content.finalize()
    knownContentDigest.withLock { $0 = digest }
    return digest
  }

  private static func digest(_ path: String) throws(RallyError) -> [UInt8] {
    let file = try MappedFile(path: path)
    var hash = SHA256()
    unsafe hash.update(file.bytes)
    return hash.finalize()
  }
}
