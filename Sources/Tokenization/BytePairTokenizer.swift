public import Files

/// A byte-level byte-pair tokenizer, equal to the Hugging Face `tokenizers` library on valid UTF-8.
///
/// Immutable, and safe to share between threads. Use it for the GPT-2 family (GPT-2, SmolLM,
/// StarCoder); not for vocabularies with an unknown token, byte fallback, dropout, a normaliser or
/// `ignore_merges`, which it has no words for.
///
/// * Any bytes can be encoded. A byte that is not part of valid UTF-8 is a symbol of its own, in the
///   class of punctuation.
/// * `decode(encode(x)) == x` for any bytes, when nothing is added to the text (no special tokens, no
///   prefix space) and the vocabulary has a token for each of the 256 bytes. Vocabularies exist that
///   lack some (SmolLM's does): see `missingBytes`.
/// * Added tokens are found in the text first: special ones, then the others, leftmost and longest.
///   Word boundaries and surrounding spaces play no part.
public final class BytePairTokenizer: Sendable {
  public let configuration: TokenizerConfiguration
  /// The bytes that no token stands for, ascending. They are left out when text is encoded, as the
  /// Hugging Face library does; the result then decodes to the text without them.
  public let missingBytes: [UInt8]

  let vocabularyTable: VocabularyTable
  let rules: MergeRules
  let splitter: WordSplitter
  let specialMatcher: AddedTokenMatcher
  let addedMatcher: AddedTokenMatcher
  // One for each call at work at once; they keep their word caches.
  private let encoders = ForkSafe<[WordEncoder]>([])

  /// A thread that encodes finds a warm cache, of 1.6 MB, unless more than these do at once.
  private static let keptEncoderCount = 16

  /// Checks everything that a file can say wrongly. O(n) in the bytes of the vocabulary and merges.
  ///
  /// - Parameters:
  ///   - vocabulary: `[V]`, the entry of each id, in the byte alphabet (`Ġ` for a space); added
  ///     tokens as literal text.
  ///   - merges: `left right` each, the first to apply first.
  /// - Throws: `invalidTokenizer`, naming the entry, merge or id and what is wrong with it. The file
  ///   must be written again.
  public init(
    vocabulary: [String], merges: [String], configuration: TokenizerConfiguration
  ) throws(RallyError) {
    let table = try VocabularyTable(vocabulary, spelling: .byteAlphabet, roles: configuration.roles)
    let rules = try MergeRules(merges, vocabulary: table)
    self.configuration = configuration
    self.rules = rules
    vocabularyTable = table
    missingBytes = (UInt8.min...UInt8.max).filter { rules.byteTokens[Int($0)] < 0 }
    splitter = WordSplitter(isolatesDigits: configuration.preTokenizer == .smollm)
    specialMatcher = AddedTokenMatcher(tokens: table.ids(of: .special), in: table)
    addedMatcher = AddedTokenMatcher(tokens: table.ids(of: .added), in: table)
  }

  /// Lends scratch memory to `body`.
  func withEncoder(_ body: (inout WordEncoder) -> Void) {
    var encoder = encoders.withLock { $0.popLast() } ?? WordEncoder()
    body(&encoder)
    encoder.trim()
    encoders.withLock { if $0.count < Self.keptEncoderCount { $0.append(encoder) } }
  }
}

extension BytePairTokenizer {
  public var tokenCount: Int { vocabularyTable.count }

  /// `[V]` as a file stores it; what `init` was given.
  public var vocabulary: [String] { (0..<tokenCount).map { vocabularyTable.entry(Int32($0)) } }

  /// `[merges]` as a file stores them; what `init` was given.
  public var merges: [String] {
    rules.merges.map { "\(vocabularyTable.entry($0.left)) \(vocabularyTable.entry($0.right))" }
  }

  /// The bytes that a token stands for.
  ///
  /// - Throws: `invalidToken` for an id outside the vocabulary and the model's ids.
  public func tokenBytes(_ id: Int32) throws(RallyError) -> [UInt8] {
    try check(id)
    return Array(vocabularyTable.bytes(of: id))
  }

  /// The token that stands for exactly these bytes, or nil. Where an added token and one that merges
  /// can reach have the same bytes, the latter.
  public func id(of bytes: [UInt8]) -> Int32? { vocabularyTable.id(of: ArraySlice(bytes)) }

  /// Whether the configuration lists `id` as a special token. False outside the vocabulary.
  public func isSpecial(_ id: Int32) -> Bool {
    vocabularyTable.kinds.indices.contains(Int(id)) && vocabularyTable.kinds[Int(id)] == .special
  }

  func check(_ id: Int32, _ name: @autoclosure () -> String = "token") throws(RallyError) {
    try configuration.roles.check(id, tokenCount: tokenCount, name())
  }
}
