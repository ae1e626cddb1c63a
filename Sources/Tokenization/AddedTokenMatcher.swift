/// Finds added tokens in a text: the leftmost match, and the longest that starts there.
///
/// A search reads no more than the longest token (`VocabularyTable.maximumAddedByteCount`) from each place, so it is linear
/// in the text.
struct AddedTokenMatcher: Sendable {
  private var trie: ByteTrie
  private var starts = [Bool](repeating: false, count: 256)
  private let isEmpty: Bool

  struct Match: Equatable {
    var token: Int32
    var start: Int
    var end: Int
  }

  /// - Parameter patterns: the bytes to find, none of them empty, and the tokens that they are.
  init(_ patterns: [(bytes: ArraySlice<UInt8>, token: Int32)]) {
    trie = ByteTrie()
    isEmpty = patterns.isEmpty
    for (bytes, token) in patterns {
      trie.insert(bytes, token: token)
      if let first = bytes.first { starts[Int(first)] = true }
    }
  }

  init(tokens: [Int32], in vocabulary: VocabularyTable) {
    self.init(tokens.map { (vocabulary.bytes(of: $0), $0) })
  }

  /// The first match at `start` or later.
  func firstMatch(in text: Span<UInt8>, from start: Int) -> Match? {
    guard !isEmpty else { return nil }
    for position in start..<text.count where starts[Int(text[position])] {
      if let match = trie.longestMatch(in: text, at: position) {
        return Match(token: match.token, start: position, end: match.end)
      }
    }
    return nil
  }
}
