import Tensors

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
    for (rank, line) in lines.enumerated() {
      let merge = try Self.merge(line, rank: rank, vocabulary: vocabulary)
      guard pairs.insert(merge.left, merge.right, rank: UInt32(rank)) else {
        throw RallyError(
          .invalidTokenizer, "merge \(rank) \(quoted(line))", expected: "each pair once", found: "it earlier too")
      }
      merges.append(merge)
    }
  }

  private static func merge(_ line: String, rank: Int, vocabulary: VocabularyTable) throws(RallyError) -> Merge {
    let name = "merge \(rank) \(quoted(line))"
    // Twice two words, each character of at most two bytes.
    guard line.utf8.count <= 4 * VocabularyTable.maximumByteCount + 1 else {
      throw RallyError(.invalidTokenizer, name, expected: "two entries", found: "\(line.utf8.count) bytes")
    }
    let words = line.unicodeScalars.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 2 else {
      throw RallyError(
        .invalidTokenizer, name, expected: "two entries with one space between them", found: "\(words.count)")
    }
    let left = try bytes(words[0], of: name)
    let right = try bytes(words[1], of: name)
    return try Merge(
      left: id(of: left, as: "left side", of: name, in: vocabulary),
      right: id(of: right, as: "right side", of: name, in: vocabulary),
      result: id(of: left + right, as: "result", of: name, in: vocabulary))
  }

  private static func bytes(_ word: Substring.UnicodeScalarView, of name: String) throws(RallyError) -> ArraySlice<UInt8> {
    var bytes: ArraySlice<UInt8> = []
    for scalar in word {
      guard let byte = ByteAlphabet.byte(of: scalar) else {
        throw RallyError(
          .invalidTokenizer, name, expected: "characters of the byte alphabet",
          found: "U+\(String(scalar.value, radix: 16, uppercase: true))")
      }
      bytes.append(byte)
    }
    return bytes
  }

  private static func id(
    of bytes: ArraySlice<UInt8>, as role: String, of name: String, in vocabulary: VocabularyTable
  ) throws(RallyError) -> Int32 {
    guard let id = vocabulary.mergeable(bytes) else {
      throw RallyError(
        .invalidTokenizer, name, expected: "a \(role) in the vocabulary",
        found: quoted(ByteAlphabet.text(of: bytes)) + ", which is not")
    }
    return id
  }
}
