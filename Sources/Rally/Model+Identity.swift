import Curation
public import Files
public import Models

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
}
