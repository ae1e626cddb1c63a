public import Files

extension WordPieceTokenizer {
  /// The words that tokens stand for: pieces joined, a space before every word but the first.
  ///
  /// - Parameters:
  ///   - tokens: `[T]` ids; none gives no bytes, nor does a model's id after the vocabulary.
  ///   - skipsSpecialTokens: leaves special tokens out.
  /// - Returns: valid UTF-8.
  /// - Throws: `invalidToken` for an id outside the vocabulary and the model's ids, naming its place.
  public func decode(_ tokens: [Int32], skipsSpecialTokens: Bool = false) throws(RallyError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(tokens.count * 6)
    var isFirst = true
    for (index, id) in tokens.enumerated() {
      try check(id, "token \(index)")
      if Int(id) >= tokenCount || (skipsSpecialTokens && isSpecial(id)) { continue }
      append(id, isFirst: isFirst, to: &bytes)
      isFirst = false
    }
    return bytes
  }

  /// Appends what a token of the vocabulary stands for, after others or as the first of a text.
  func append(_ id: Int32, isFirst: Bool, to bytes: inout [UInt8]) {
    let entry = addedTexts[id].map { $0[...] } ?? vocabularyTable.bytes(of: id)
    let prefix = rules.prefix.utf8
    var piece: [UInt8]
    if isFirst {
      piece = Array(entry)
    } else if entry.starts(with: prefix) {
      piece = Array(entry.dropFirst(prefix.count))
    } else {
      piece = [0x20] + entry
    }
    if rules.cleansUpDecoding { Self.cleanUp(&piece) }
    bytes += piece
  }

  /// What is replaced, one after the other, within a piece. Source: `cleanup` of the Hugging Face decoder.
  private static let replacements: [(old: [UInt8], new: [UInt8])] = [
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
    (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
  ].map { (Array($0.0.utf8), Array($0.1.utf8)) }

  static func cleanUp(_ piece: inout [UInt8]) {
    for (old, new) in replacements {
      var place = 0
      while place + old.count <= piece.count {
        if piece[place..<place + old.count].elementsEqual(old) {
          piece.replaceSubrange(place..<place + old.count, with: new)
          place += new.count
        } else {
          place += 1
        }
      }
    }
  }
}
