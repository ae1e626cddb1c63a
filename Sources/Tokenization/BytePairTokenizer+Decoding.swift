public import Files

extension BytePairTokenizer {
  /// The bytes that tokens stand for, one after the other.
  ///
  /// Not necessarily UTF-8: a token may be part of a character. For text as it is generated use
  /// `StreamDecoder`.
  ///
  /// - Parameters:
  ///   - tokens: `[T]` ids; none gives no bytes, nor does a model's id after the vocabulary.
  ///   - skipsSpecialTokens: leaves special tokens out.
  /// - Throws: `invalidToken` for an id outside the vocabulary and the model's ids, naming its place.
  public func decode(_ tokens: [Int32], skipsSpecialTokens: Bool = false) throws(RallyError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(tokens.count * 4)
    for (index, id) in tokens.enumerated() {
      try check(id, "token \(index)")
      if skipsSpecialTokens, isSpecial(id) { continue }
      bytes += vocabularyTable.bytes(of: id)
    }
    return bytes
  }

  /// Appends the bytes that a token stands for; nothing for an id outside the vocabulary. Allocates only where `bytes` must grow.
  public func append(_ id: Int32, to bytes: inout [UInt8]) {
    guard id >= 0 else { return }
    bytes += vocabularyTable.bytes(of: id)
  }
}
