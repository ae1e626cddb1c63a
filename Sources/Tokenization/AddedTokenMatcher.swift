/// Finds added tokens in a text: the leftmost match, and the longest that starts there.
///
/// A trie over the tokens' bytes. A search reads no more than the longest token
/// (`VocabularyTable.maximumAddedByteCount`) from each place, so it is linear in the text.
struct AddedTokenMatcher: Sendable {
  // The child of a node and a byte. Node 0 is the root.
  private var children: PairTable
  private var tokens: [Int32] = [-1]  // [node] the token that ends there, −1 for none
  private var starts = [Bool](repeating: false, count: 256)

  struct Match: Equatable {
    var token: Int32
    var start: Int
    var end: Int
  }

  init(tokens: [Int32], in vocabulary: VocabularyTable) {
    children = PairTable(count: tokens.reduce(0) { $0 + vocabulary.bytes(of: $1).count })
    for token in tokens { insert(vocabulary.bytes(of: token), token: token) }
  }

  private mutating func insert(_ bytes: ArraySlice<UInt8>, token: Int32) {
    var node: Int32 = 0
    for byte in bytes {
      if children.insert(node, Int32(byte), number: UInt32(tokens.count)) {
        node = Int32(tokens.count)
        tokens.append(-1)
      } else {
        node = Int32(children.number(node, Int32(byte)))
      }
    }
    tokens[Int(node)] = token
    if let first = bytes.first { starts[Int(first)] = true }
  }

  /// The first match at `start` or later.
  func firstMatch(in text: Span<UInt8>, from start: Int) -> Match? {
    guard tokens.count > 1 else { return nil }
    for position in start..<text.count where starts[Int(text[position])] {
      if let match = longestMatch(in: text, at: position) { return match }
    }
    return nil
  }

  private func longestMatch(in text: Span<UInt8>, at start: Int) -> Match? {
    var node: Int32 = 0
    var match: Match?
    for position in start..<text.count {
      let child = children.number(node, Int32(text[position]))
      guard child != PairTable.none else { break }
      node = Int32(child)
      let token = tokens[Int(node)]
      if token >= 0 { match = Match(token: token, start: start, end: position + 1) }
    }
    return match
  }
}
