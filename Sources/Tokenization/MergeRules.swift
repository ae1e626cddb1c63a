import Files

/// Which pairs of tokens merge, in which order, and into what.
struct MergeRules: Sendable {
  /// The token of each byte, −1 where the vocabulary has none, `[256]`.
  let byteTokens: [Int32]
  private(set) var pairs: PairTable
  /// By rank, the pair and what it becomes.
  private(set) var merges: [Merge] = []

  /// Symbols that a token may have next to each other: no merge crosses the place between any other two. nil where that
  /// was not asked for, or is not known.
  private(set) var neighbours: PairTable?

  struct Merge: Sendable {
    var left: Int32
    var right: Int32
    var result: Int32
  }

  /// - Parameters:
  ///   - byteTokens: `[256]`, −1 where there is none.
  ///   - merges: by rank; of two with one pair the first counts.
  init(byteTokens: [Int32], merges: [Merge]) {
    self.byteTokens = byteTokens
    self.merges = merges
    pairs = PairTable(count: merges.count)
    for (rank, merge) in merges.enumerated() { _ = pairs.insert(merge.left, merge.right, number: UInt32(rank)) }
  }

  /// - Parameter lines: `left right` each, in the byte alphabet, the first to apply first.
  /// - Throws: `invalidTokenizer`, naming the line: not two words, an unknown word, a result that the
  ///   vocabulary lacks, or a pair that stands twice.
  init(_ lines: [String], vocabulary: VocabularyTable) throws(RallyError) {
    guard lines.count < Int(Int32.max) else {
      throw RallyError(.invalidTokenizer, "merges", expected: "fewer than \(Int32.max)", found: "\(lines.count)")
    }
    byteTokens = (UInt8.min...UInt8.max).map { vocabulary.mergeable([$0]) ?? -1 }
    pairs = PairTable(count: lines.count)
    merges.reserveCapacity(lines.count)
    for (rank, text) in lines.enumerated() {
      let line = MergeLine(rank: rank, text: text)
      let merge = try line.merge(in: vocabulary)
      guard pairs.insert(merge.left, merge.right, number: UInt32(rank)) else {
        throw line.error(expected: "each pair once", found: "it earlier too")
      }
      merges.append(merge)
    }
  }
}

extension MergeRules {
  /// Finds out which symbols may become neighbours.
  ///
  /// - Parameter symbols: of those that words are made of, the ones that merges may make, too.
  mutating func findNeighbours(symbols: Set<Int32>) {
    let tokenCount = merges.reduce(0) { max($0, $1.left, $1.right, $1.result) } + 1
    // [token] the first and the last symbol that a token is made of: its own where no merge makes it.
    var first = Array(0..<tokenCount)
    var last = first
    var isUsed = [Bool](repeating: false, count: Int(tokenCount))
    var found = PairTable(count: 0)
    for merge in merges {
      let (left, right, result) = (Int(merge.left), Int(merge.right), Int(merge.result))
      // One that is a symbol in one word and made of others in another.
      for side in [left, right] where first[side] != Int32(side) && symbols.contains(Int32(side)) { return }
      _ = found.insert(last[left], first[right], number: 0)
      (isUsed[left], isUsed[right]) = (true, true)
      let isNew = first[result] == merge.result && !isUsed[result]
      // A token that is made in two ways, of other symbols, or used before it is made.
      guard isNew || (first[result] == first[left] && last[result] == last[right]) else { return }
      (first[result], last[result]) = (first[left], last[right])
    }
    neighbours = found
  }
}

/// One merge as a file has it.
private struct MergeLine {
  var rank: Int
  var text: String

  func merge(in vocabulary: VocabularyTable) throws(RallyError) -> MergeRules.Merge {
    // Two words, each character of at most two bytes.
    guard text.utf8.count <= 4 * VocabularyTable.maximumByteCount + 1 else {
      throw error(expected: "two entries", found: "\(text.utf8.count) bytes")
    }
    let (word, middle) = try bytes()
    return try MergeRules.Merge(
      left: id(of: word[..<middle], as: "left side", in: vocabulary),
      right: id(of: word[middle...], as: "right side", in: vocabulary),
      result: id(of: word[...], as: "result", in: vocabulary))
  }

  /// Both sides, and where the right one starts.
  private func bytes() throws(RallyError) -> (word: [UInt8], middle: Int) {
    var word: [UInt8] = []
    var middle: Int?
    for scalar in text.unicodeScalars {
      if let byte = ByteAlphabet.byte(of: scalar) {
        word.append(byte)
      } else if scalar == " ", middle == nil {
        middle = word.count
      } else {
        let code = String(scalar.value, radix: 16, uppercase: true)
        throw error(expected: "two entries in the byte alphabet, one space between them", found: "U+\(code)")
      }
    }
    guard let middle else { throw error(expected: "two entries with a space between them", found: "no space") }
    return (word, middle)
  }

  private func id(
    of bytes: ArraySlice<UInt8>, as role: String, in vocabulary: VocabularyTable
  ) throws(RallyError) -> Int32 {
    guard let id = vocabulary.mergeable(bytes) else {
      throw error(
        expected: "a \(role) in the vocabulary", found: quoted(ByteAlphabet.text(of: bytes)) + ", which is not")
    }
    return id
  }

  func error(expected: String, found: String) -> RallyError {
    RallyError(.invalidTokenizer, "merge \(rank) \(quoted(text))", expected: expected, found: found)
  }
}
