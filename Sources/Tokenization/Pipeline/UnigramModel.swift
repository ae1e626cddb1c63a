import Files

/// The most probable tokens of a piece, by a sum of their scores; equal to `Unigram` of the Hugging Face library.
struct UnigramModel: Sendable {
  let scores: [Double]  // [V], of entries outside the model 0
  private let entries: EntryTable
  private let unknownToken: Int32
  private let fallsBackToBytes: Bool
  private var trie: ByteTrie
  private let unknownScore: Double
  private let byteTokens: [Int32]  // [256] of `<0xNN>`

  /// The longest entry. SentencePiece's have 16 characters; the limit bounds the time that a text takes.
  static let maximumByteCount = 512
  /// As for word pieces: it bounds the memory of the search, 24 bytes for each.
  private static let vocabularyLimit = 16 << 20

  init(unknownToken: Int32, fallsBackToBytes: Bool, scores: [Double], entries: EntryTable) throws(RallyError) {
    try entries.check(unknownToken, "unknown token")
    guard scores.count == entries.count, scores.allSatisfy(\.isFinite) else {
      throw RallyError(
        .invalidTokenizer, "scores", expected: "\(entries.count) finite numbers, one for each entry", found: "\(scores.count)")
    }
    let ids = entries.modelIDs
    let byteCount = ids.reduce(0) { $0 + entries.text(of: $1).count }
    guard byteCount <= Self.vocabularyLimit else {
      throw RallyError(
        .invalidTokenizer, "vocabulary", expected: "at most \(Self.vocabularyLimit) bytes in all", found: "\(byteCount)")
    }
    self.scores = scores
    self.entries = entries
    self.unknownToken = unknownToken
    self.fallsBackToBytes = fallsBackToBytes
    trie = ByteTrie()
    for id in ids { trie.insert(entries.text(of: id), token: id) }
    // Ten below the least. Source: kUnkPenalty of SentencePiece.
    unknownScore = (ids.map { scores[Int($0)] }.min() ?? 0) - 10
    byteTokens = entries.byteTokens()
  }

  /// Scratch memory of one call at a time.
  struct Scratch {
    fileprivate var ends: [End] = []  // [n + 1]
    fileprivate var path: [(start: Int, end: Int, token: Int32)] = []

    mutating func trim() {
      if ends.capacity > 1 << 16 { self = Scratch() }
    }
  }

  /// The best tokens of all up to a place.
  fileprivate struct End {
    var sum = 0.0
    /// Where the last of them starts, −1 where none ends here.
    var start: Int32 = -1
    var token: Int32 = 0

    @inline(__always)
    mutating func offer(_ sum: Double, _ token: Int32, from start: Int) {
      if self.start < 0 || sum > self.sum { self = End(sum: sum, start: Int32(start), token: token) }
    }
  }

  /// Appends the tokens of pieces in turn.
  ///
  /// - Parameter hidesSpecial: the model makes no special tokens.
  /// - Complexity: O(n) times the longest entry.
  func append(
    _ pieces: [Range<Int>], of text: Span<UInt8>, hidesSpecial: Bool, _ cache: inout WordCache, _ scratch: inout Scratch,
    to tokens: inout [Int32]
  ) {
    for range in pieces {
      let piece = text.extracting(range)
      cache.append(piece, variant: hidesSpecial, to: &tokens) {
        append(piece, hidesSpecial: hidesSpecial, &scratch, to: &$0)
      }
    }
  }

  private func append(_ piece: Span<UInt8>, hidesSpecial: Bool, _ scratch: inout Scratch, to tokens: inout [Int32]) {
    search(piece, hidesSpecial, &scratch)
    var end = piece.count
    scratch.path.removeAll(keepingCapacity: true)
    while end > 0 {
      let start = Int(scratch.ends[end].start)
      scratch.path.append((start, end, scratch.ends[end].token))
      end = start
    }
    var index = scratch.path.count - 1
    while index >= 0 {
      let node = scratch.path[index]
      index -= 1
      guard node.token == unknownToken else {
        tokens.append(node.token)
        continue
      }
      var end = node.end
      while index >= 0, scratch.path[index].token == unknownToken {
        end = scratch.path[index].end
        index -= 1
      }
      appendUnknown(piece.extracting(node.start..<end), hidesSpecial, to: &tokens)
    }
  }

  private func search(_ piece: Span<UInt8>, _ hidesSpecial: Bool, _ scratch: inout Scratch) {
    let count = piece.count + 1
    scratch.ends.removeAll(keepingCapacity: true)
    scratch.ends.append(contentsOf: repeatElement(End(), count: count))
    var ends = scratch.ends.mutableSpan
    let scores = scores.span
    var start = 0
    while start < piece.count {
      let (_, byteCount) = piece.scalar(at: start)
      let before = ends[start].sum
      var hasCharacter = false
      var node: Int32 = 0
      var end = start
      while end < piece.count, let child = trie.child(of: node, piece[end]) {
        node = child
        end += 1
        let token = trie.token(at: node)
        if token < 0 || hidesSpecial && entries.isHidden[Int(token)] { continue }
        ends[end].offer(scores[Int(token)] + before, token, from: start)
        if end - start == byteCount { hasCharacter = true }
      }
      if !hasCharacter { ends[start + byteCount].offer(unknownScore + before, unknownToken, from: start) }
      start += byteCount
    }
  }

  /// What neighbouring unknown characters become together.
  private func appendUnknown(_ text: Span<UInt8>, _ hidesSpecial: Bool, to tokens: inout [Int32]) {
    if let known = entries.id(of: text), !hidesSpecial || !entries.isHidden[Int(known)] {
      tokens.append(known)
    } else if fallsBackToBytes, text.indices.allSatisfy({ byteTokens[Int(text[$0])] >= 0 }) {
      for index in text.indices { tokens.append(byteTokens[Int(text[index])]) }
    } else {
      tokens.append(unknownToken)
    }
  }
}
