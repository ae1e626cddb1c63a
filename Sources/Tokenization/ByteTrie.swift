/// Tokens by their bytes, found byte by byte; several sets of them may share it, each with a root of its own.
struct ByteTrie: Sendable {
  // The child of a node and a byte.
  private var children: PairTable
  private var tokens: [Int32]  // [node] the token that ends there, −1 for none

  /// - Parameters:
  ///   - byteCount: of all tokens that will be inserted.
  ///   - rootCount: nodes 0 ..< rootCount are roots.
  init(byteCount: Int, rootCount: Int = 1) {
    children = PairTable(count: byteCount)
    tokens = Array(repeating: -1, count: rootCount)
  }

  /// A token inserted with the same bytes before is replaced.
  mutating func insert(_ bytes: ArraySlice<UInt8>, token: Int32, root: Int32 = 0) {
    var node = root
    for byte in bytes {
      if children.insert(node, Int32(byte), number: UInt32(tokens.count)) {
        node = Int32(tokens.count)
        tokens.append(-1)
      } else {
        node = Int32(children.number(node, Int32(byte)))
      }
    }
    tokens[Int(node)] = token
  }

  /// The longest token that starts at `start`, and where it ends. Reads no more than the longest token of all.
  func longestMatch(in text: Span<UInt8>, at start: Int, root: Int32 = 0) -> (token: Int32, end: Int)? {
    var node = root
    var match: (token: Int32, end: Int)?
    for position in start..<text.count {
      let child = children.number(node, Int32(text[position]))
      guard child != PairTable.none else { break }
      node = Int32(child)
      let token = tokens[Int(node)]
      if token >= 0 { match = (token, position + 1) }
    }
    return match
  }

  /// The tokens that start at `start`, the shortest first, and where each ends.
  func forEachMatch(in text: Span<UInt8>, at start: Int, root: Int32 = 0, _ body: (_ token: Int32, _ end: Int) -> Void) {
    var node = root
    for position in start..<text.count {
      let child = children.number(node, Int32(text[position]))
      guard child != PairTable.none else { return }
      node = Int32(child)
      let token = tokens[Int(node)]
      if token >= 0 { body(token, position + 1) }
    }
  }
}
