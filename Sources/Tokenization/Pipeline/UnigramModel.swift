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
    trie = ByteTrie(byteCount: byteCount)
    for id in ids { trie.insert(entries.text(of: id), token: id) }
    // Ten below the least. Source: kUnkPenalty of SentencePiece.
    unknownScore = (ids.map { scores[Int($0)] }.min() ?? 0) - 10
    byteTokens = entries.byteTokens()
  }

  /// Scratch memory of one call at a time.
  struct Scratch {
    fileprivate var best: [Double] = []  // [n + 1] the greatest sum of tokens that end there
    fileprivate var starts: [Int32] = []  // [n + 1] where the last of them starts, −1 for none
    fileprivate var tokens: [Int32] = []  // [n + 1] and which it is
    fileprivate var path: [(start: Int, end: Int, token: Int32)] = []

    mutating func trim() {
      if best.capacity > 1 << 16 { self = Scratch() }
    }
  }

  /// Appends the tokens of a piece.
  ///
  /// - Complexity: O(n) times the longest entry.
  func append(_ piece: Span<UInt8>, hidesSpecial: Bool, _ scratch: inout Scratch, to tokens: inout [Int32]) {
    search(piece, hidesSpecial, &scratch)
    var end = piece.count
    scratch.path.removeAll(keepingCapacity: true)
    while end > 0 {
      let start = Int(scratch.starts[end])
      scratch.path.append((start, end, scratch.tokens[end]))
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
    if scratch.best.count < count {
      let missing = count - scratch.best.count
      scratch.best += repeatElement(0, count: missing)
      scratch.starts += repeatElement(-1, count: missing)
      scratch.tokens += repeatElement(0, count: missing)
    }
    for index in 0..<count { scratch.starts[index] = -1 }
    scratch.best[0] = 0
    var start = 0
    while start < piece.count {
      let (_, byteCount) = piece.scalar(at: start)
      let before = scratch.best[start]
      var hasCharacter = false
      trie.forEachMatch(in: piece, at: start) { token, end in
        guard !hidesSpecial || !entries.isHidden[Int(token)] else { return }
        Self.offer(scores[Int(token)] + before, token, from: start, to: end, &scratch)
        if end - start == byteCount { hasCharacter = true }
      }
      if !hasCharacter { Self.offer(unknownScore + before, unknownToken, from: start, to: start + byteCount, &scratch) }
      start += byteCount
    }
  }

  private static func offer(_ score: Double, _ token: Int32, from start: Int, to end: Int, _ scratch: inout Scratch) {
    guard scratch.starts[end] < 0 || score > scratch.best[end] else { return }
    scratch.best[end] = score
    scratch.starts[end] = Int32(start)
    scratch.tokens[end] = token
  }

  /// What neighbouring unknown characters become together.
  private func appendUnknown(_ text: Span<UInt8>, _ hidesSpecial: Bool, to tokens: inout [Int32]) {
    var bytes: [UInt8] = []
    for index in 0..<text.count { bytes.append(text[index]) }
    if let known = entries.id(of: bytes[...]), !hidesSpecial || !entries.isHidden[Int(known)] {
      tokens.append(known)
    } else if fallsBackToBytes, bytes.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
      for byte in bytes { tokens.append(byteTokens[Int(byte)]) }
    } else {
      tokens.append(unknownToken)
    }
  }
}
