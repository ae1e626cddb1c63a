/// Finds added tokens in a text: the leftmost match, and the longest that starts there.
///
/// A trie over the tokens' bytes. A search reads no more than the longest token
/// (`VocabularyTable.maximumByteCount`) from each place, so it is linear in the text.
struct AddedTokenMatcher: Sendable {
  private struct Node: Sendable {
    var byte: UInt8 = 0
    var token: Int32 = -1
    var firstChild: Int32 = 0
    var nextSibling: Int32 = 0  // 0, the root, is nobody's child: no more siblings
  }

  private var nodes = [Node()]
  private var starts = [Bool](repeating: false, count: 256)

  struct Match: Equatable {
    var token: Int32
    var start: Int
    var end: Int
  }

  init(tokens: [Int32], in vocabulary: VocabularyTable) {
    for token in tokens { insert(vocabulary.bytes(of: token), token: token) }
  }

  private mutating func insert(_ bytes: ArraySlice<UInt8>, token: Int32) {
    var node = 0
    for byte in bytes {
      if let child = child(of: node, byte) {
        node = child
        continue
      }
      nodes.append(Node(byte: byte, nextSibling: nodes[node].firstChild))
      nodes[node].firstChild = Int32(nodes.count - 1)
      node = nodes.count - 1
    }
    nodes[node].token = token
    if let first = bytes.first { starts[Int(first)] = true }
  }

  private func child(of node: Int, _ byte: UInt8) -> Int? {
    var child = Int(nodes[node].firstChild)
    while child != 0 {
      if nodes[child].byte == byte { return child }
      child = Int(nodes[child].nextSibling)
    }
    return nil
  }

  /// The first match at `start` or later.
  func firstMatch(in text: Span<UInt8>, from start: Int) -> Match? {
    guard nodes.count > 1 else { return nil }
    for position in start..<text.count where starts[Int(text[position])] {
      if let match = longestMatch(in: text, at: position) { return match }
    }
    return nil
  }

  private func longestMatch(in text: Span<UInt8>, at start: Int) -> Match? {
    var node = 0
    var position = start
    var match: Match?
    while position < text.count, let child = child(of: node, text[position]) {
      node = child
      position += 1
      if nodes[node].token >= 0 { match = Match(token: nodes[node].token, start: start, end: position) }
    }
    return match
  }
}
