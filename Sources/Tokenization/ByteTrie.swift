/// Tokens by their bytes, found byte by byte; several sets of them may share it, each with a root of its own.
struct ByteTrie: Sendable {
  // The child of a node and a byte.
  private var children = PairTable(count: 0)
  // [root, byte] the same of the roots, which every search begins with; −1 for none.
  private var rootChildren: [Int32]
  private var tokens: [Int32]  // [node] the token that ends there, −1 for none

  /// - Parameter rootCount: nodes 0 ..< rootCount are roots.
  init(rootCount: Int = 1) {
    rootChildren = Array(repeating: -1, count: 256 * rootCount)
    tokens = Array(repeating: -1, count: rootCount)
  }

  /// A token inserted with the same bytes before is replaced.
  mutating func insert(_ bytes: ArraySlice<UInt8>, token: Int32, root: Int32 = 0) {
    var node = root
    for byte in bytes {
      if let child = child(of: node, byte) {
        node = child
        continue
      }
      let child = Int32(tokens.count)
      if 256 * Int(node) < rootChildren.count {
        rootChildren[256 * Int(node) + Int(byte)] = child
      } else {
        _ = children.insert(node, Int32(byte), number: UInt32(child))
      }
      tokens.append(-1)
      node = child
    }
    tokens[Int(node)] = token
  }

  /// The node that a byte leads to.
  @inline(__always)
  func child(of node: Int32, _ byte: UInt8) -> Int32? {
    let place = 256 * Int(node)
    let child = place < rootChildren.count ? rootChildren[place + Int(byte)] : Int32(bitPattern: children.number(node, Int32(byte)))
    return child < 0 ? nil : child
  }

  /// The token that ends at a node, −1 for none.
  func token(at node: Int32) -> Int32 { tokens[Int(node)] }

  /// The longest token that starts at `start`, and where it ends. Reads no more than the longest token of all.
  @inline(__always)
  func longestMatch(in text: Span<UInt8>, at start: Int, root: Int32 = 0) -> (token: Int32, end: Int)? {
    var match: (token: Int32, end: Int)?
    forEachMatch(in: text, at: start, root: root) { match = ($0, $1) }
    return match
  }

  /// The tokens that start at `start`, the shortest first, and where each ends.
  @inline(__always)
  func forEachMatch(in text: Span<UInt8>, at start: Int, root: Int32 = 0, _ body: (_ token: Int32, _ end: Int) -> Void) {
    var node = root
    var position = start
    while position < text.count, let child = child(of: node, text[position]) {
      node = child
      position += 1
      let token = tokens[Int(node)]
      if token >= 0 { body(token, position) }
    }
  }
}
