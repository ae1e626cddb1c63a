/// The pieces of words: those that begin one, and those that go on, which are written with a prefix.
struct PieceTable: Sendable {
  private var trie: ByteTrie
  private static let beginning: Int32 = 0
  private static let continuation: Int32 = 1

  /// - Parameter prefix: not empty.
  init(_ vocabulary: VocabularyTable, prefix: [UInt8]) {
    // What stands after a prefix is in it twice: an entry may begin a word that begins with the prefix.
    trie = ByteTrie(rootCount: 2)
    for token in vocabulary.ids(of: .ordinary) {
      let bytes = vocabulary.bytes(of: token)
      trie.insert(bytes, token: token, root: Self.beginning)
      if bytes.starts(with: prefix) {
        trie.insert(bytes.dropFirst(prefix.count), token: token, root: Self.continuation)
      }
    }
  }

  /// Appends the pieces of a word, each the longest that fits, from the left.
  ///
  /// - Parameter word: valid UTF-8, not empty; so is every entry, and a match never ends within a character.
  /// - Returns: false, and nothing appended, when one is missing.
  /// - Complexity: O(n) times the longest entry.
  func append(_ word: Span<UInt8>, to tokens: inout [Int32]) -> Bool {
    let count = tokens.count
    var position = 0
    while position < word.count {
      let root = position == 0 ? Self.beginning : Self.continuation
      guard let piece = trie.longestMatch(in: word, at: position, root: root) else {
        tokens.removeSubrange(count...)
        return false
      }
      tokens.append(piece.token)
      position = piece.end
    }
    return true
  }
}
