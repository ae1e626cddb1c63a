import Files

/// Which pairs of tokens merge, in which order, and into what.
struct MergeRules: Sendable {
  /// The token of each byte, −1 where the vocabulary has none, `[256]`.
  let byteTokens: [Int32]
  private(set) var pairs: PairTable
  /// By rank, the pair and what it becomes.
  private(set) var merges: [Merge] = []

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
