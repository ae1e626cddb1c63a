public import Tensors

extension BytePairTokenizer {
  /// The bytes that tokens stand for, one after the other.
  ///
  /// Not necessarily UTF-8: a token may be part of a character. For text as it is generated use
  /// `StreamDecoder`.
  ///
  /// - Parameters:
  ///   - tokens: `[T]` ids within the vocabulary; none gives no bytes.
  ///   - skipsSpecialTokens: leaves special tokens out.
  /// - Throws: `invalidToken` for an id outside the vocabulary, naming its place.
  public func decode(_ tokens: [Int32], skipsSpecialTokens: Bool = false) throws(RallyError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(tokens.count * 4)
    for (index, id) in tokens.enumerated() {
      guard id >= 0, Int(id) < tokenCount else {
        throw RallyError(
          .invalidToken, "token \(index)", expected: "an id from 0 to \(tokenCount - 1)", found: "\(id)")
      }
      if skipsSpecialTokens, isSpecial(id) { continue }
      bytes += vocabularyTable.bytes(of: id)
    }
    return bytes
  }
}
