import Files

/// The longest pieces of a word from its left; equal to `WordPiece` of the Hugging Face library.
struct WordPieceModel: Sendable {
  private var trie: ByteTrie
  private let entries: EntryTable
  private let unknownToken: Int32
  private let maximumWordLength: Int

  private static let beginning: Int32 = 0
  private static let continuation: Int32 = 1

  init(unknownToken: Int32, prefix: String, maximumWordLength: Int, entries: EntryTable) throws(RallyError) {
    try entries.check(unknownToken, "unknown token")
    self.entries = entries
    self.unknownToken = unknownToken
    self.maximumWordLength = maximumWordLength
    // What stands after a prefix is in it twice: an entry may begin a word that begins with the prefix.
    trie = ByteTrie(rootCount: 2)
    for id in entries.modelIDs {
      let text = entries.text(of: id)
      trie.insert(text, token: id, root: Self.beginning)
      if text.starts(with: prefix.utf8), text.count > prefix.utf8.count {
        trie.insert(text.dropFirst(prefix.utf8.count), token: id, root: Self.continuation)
      }
    }
  }

  /// Appends the tokens of words in turn.
  ///
  /// - Parameter hidesSpecial: the model makes no special tokens.
  func append(
    _ words: [Range<Int>], of text: Span<UInt8>, hidesSpecial: Bool, _ cache: inout WordCache, to tokens: inout [Int32]
  ) {
    for range in words {
      let word = text.extracting(range)
      cache.append(word, variant: hidesSpecial, to: &tokens) { append(word, hidesSpecial: hidesSpecial, to: &$0) }
    }
  }

  private func append(_ word: Span<UInt8>, hidesSpecial: Bool, to tokens: inout [Int32]) {
    guard !isTooLong(word) else { return tokens.append(unknownToken) }
    let count = tokens.count
    var position = 0
    while position < word.count {
      var longest: (token: Int32, end: Int)?
      trie.forEachMatch(in: word, at: position, root: position == 0 ? Self.beginning : Self.continuation) { token, end in
        if !hidesSpecial || !entries.isHidden[Int(token)] { longest = (token, end) }
      }
      guard let longest else {
        tokens.removeSubrange(count...)
        tokens.append(unknownToken)
        return
      }
      tokens.append(longest.token)
      position = longest.end
    }
  }

  private func isTooLong(_ word: Span<UInt8>) -> Bool {
    guard word.count > maximumWordLength else { return false }
    var scalarCount = 0
    var position = 0
    while position < word.count {
      position += word.scalar(at: position).byteCount
      scalarCount += 1
    }
    return scalarCount > maximumWordLength
  }
}
