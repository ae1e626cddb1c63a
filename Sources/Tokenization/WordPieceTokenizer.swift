public import Files

/// BERT's tokenizer, equal to the Hugging Face `tokenizers` library on valid UTF-8.
///
/// Immutable, and safe to share between threads. A text is normalised, cut at white space and punctuation, and each word
/// becomes the longest pieces from its left; a word that has none is the unknown token.
///
/// * Any bytes can be encoded. A byte that is not part of valid UTF-8 counts as U+FFFD.
/// * Decoding gives words with one space between them, not the text.
/// * Special tokens are found in the text as it is, other added tokens in the normalised text, as what they are normalised
///   to, which is also what they are decoded to; leftmost and longest. Word boundaries and surrounding spaces play no part.
///   Neither is a piece of a word.
public final class WordPieceTokenizer: Sendable {
  public let rules: WordPieceRules
  public let roles: TokenRoles

  let vocabularyTable: VocabularyTable
  let normalizer: BertNormalizer
  let classes = BertTable.shared
  let pieces: PieceTable
  let specialMatcher: AddedTokenMatcher
  let addedMatcher: AddedTokenMatcher
  /// What added tokens that are not special are normalised to: what they are found by, and decoded to.
  let addedTexts: [Int32: [UInt8]]

  /// Thirty times that of the largest vocabularies; it bounds the memory of the search, 24 bytes for each.
  private static let vocabularyLimit = 16 << 20

  /// Checks everything that a file can say wrongly. O(n) in the bytes of the vocabulary.
  ///
  /// - Parameter vocabulary: `[V]`, the entry of each id, as text; inside words with the prefix.
  /// - Throws: `invalidTokenizer`, naming the entry or id and what is wrong with it. The file must be written again.
  public init(vocabulary: [String], rules: WordPieceRules, roles: TokenRoles) throws(RallyError) {
    let table = try VocabularyTable(vocabulary, spelling: .text, roles: roles)
    guard table.byteCount <= Self.vocabularyLimit else {
      throw RallyError(
        .invalidTokenizer, "vocabulary", expected: "at most \(Self.vocabularyLimit) bytes in all",
        found: "\(table.byteCount)")
    }
    try TokenRoles.validate([rules.unknownToken], named: "unknown token", tokenCount: table.count)
    guard !rules.prefix.isEmpty, rules.maximumWordLength > 0 else {
      throw RallyError(
        .invalidTokenizer, "word pieces", expected: "a prefix, and words of at least one character", found: "none")
    }
    self.rules = rules
    self.roles = roles
    vocabularyTable = table
    normalizer = BertNormalizer(rules)
    pieces = PieceTable(table, prefix: Array(rules.prefix.utf8))
    specialMatcher = AddedTokenMatcher(tokens: table.ids(of: .special), in: table)
    addedTexts = try Self.addedTexts(table, normalizer)
    addedMatcher = AddedTokenMatcher(addedTexts.map { ($0.value[...], $0.key) })
  }

  private static func addedTexts(
    _ table: VocabularyTable, _ normalizer: BertNormalizer
  ) throws(RallyError) -> [Int32: [UInt8]] {
    var texts: [Int32: [UInt8]] = [:]
    var known: [[UInt8]: Int32] = [:]
    for token in table.ids(of: .added) {
      let bytes = normalizer.normalize(Array(table.bytes(of: token)).span)
      let subject = "added token \(token) \(quoted(table.entry(token)))"
      guard !bytes.isEmpty else {
        throw RallyError(.invalidTokenizer, subject, expected: "text that is left when it is normalised", found: "none")
      }
      if let other = known.updateValue(token, forKey: bytes) {
        throw RallyError(
          .invalidTokenizer, subject, expected: "another normalised text than all others", found: "that of token \(other)")
      }
      texts[token] = bytes
    }
    return texts
  }
}

extension WordPieceTokenizer {
  public var tokenCount: Int { vocabularyTable.count }

  /// `[V]` as a file stores it; what `init` was given.
  public var vocabulary: [String] { (0..<tokenCount).map { vocabularyTable.entry(Int32($0)) } }

  /// The entry of a token, with its prefix; none after the vocabulary.
  ///
  /// - Throws: `invalidToken` for an id outside the vocabulary and the model's ids.
  public func tokenBytes(_ id: Int32) throws(RallyError) -> [UInt8] {
    try check(id)
    return Array(vocabularyTable.bytes(of: id))
  }

  /// Whether the roles list `id` as a special token. False outside the vocabulary.
  public func isSpecial(_ id: Int32) -> Bool {
    vocabularyTable.kinds.indices.contains(Int(id)) && vocabularyTable.kinds[Int(id)] == .special
  }

  func check(_ id: Int32, _ name: @autoclosure () -> String = "token") throws(RallyError) {
    try roles.check(id, tokenCount: tokenCount, name())
  }
}
