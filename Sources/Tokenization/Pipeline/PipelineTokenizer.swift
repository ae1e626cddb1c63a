public import Files

/// A tokenizer made of the steps of a `tokenizer.json`, equal to the Hugging Face `tokenizers` library on valid UTF-8.
///
/// Immutable, and safe to share between threads. It runs what the plainer kinds have no words for: normal forms, other
/// expressions, SentencePiece's byte-pair encoding and Unigram, and added tokens that take the space alongside them.
///
/// * Any bytes can be encoded. A byte that is not part of valid UTF-8 counts as U+FFFD to the steps, and stays what it is.
/// * Where special tokens are letters (`EncodingOptions.parsesSpecialTokens` off), the model makes none of them either,
///   though it may have them among its entries.
public final class PipelineTokenizer: Sendable {
  public let pipeline: TokenizerPipeline
  public let roles: TokenRoles
  /// `[a]`, of `roles.addedTokens`.
  public let addedFlags: [AddedTokenFlags]
  public let vocabulary: [String]
  public let merges: [PiecePair]
  public let scores: [Double]

  let entries: EntryTable
  let model: PieceModel
  /// The last step spells bytes in GPT-2's alphabet, and the model reads the bytes.
  let keepsBytes: Bool
  let normalizer: TextNormalizer
  let rawTokens: AddedTokenFinder
  let normalizedTokens: AddedTokenFinder
  /// `[V]` what is decoded: of added tokens what they are found by.
  let texts: [Int32: [UInt8]]
  /// Whether decoding leaves a token out on request.
  let isSkipped: Set<Int32>
  let bytes: [Int32: UInt8]
  private let scratches = ForkSafe<[Scratch]>([])

  /// A thread that encodes finds a warm cache, of 1.6 MB, unless more than these do at once.
  private static let keptScratchCount = 16
  private static let maximumByteCount = 4096

  /// Two tokens that merge.
  public struct PiecePair: Sendable, Equatable {
    public var left: Int32
    public var right: Int32

    public init(left: Int32, right: Int32) {
      self.left = left
      self.right = right
    }
  }

  struct Scratch {
    var model = PieceModel.Scratch()
    var matcher = ExpressionMatcher()
  }

  /// Checks everything that a file can say wrongly. O(n) in the bytes of the vocabulary and merges.
  ///
  /// - Parameters:
  ///   - vocabulary: `[V]`, the entry of each id as text; empty for an id that no token has.
  ///   - addedFlags: `[a]`, of `roles.addedTokens`.
  ///   - merges: the first to apply first; `bytePair` only.
  ///   - scores: `[V]`; `unigram` only.
  /// - Throws: `invalidTokenizer`, naming the entry, merge or id and what is wrong with it. The file must be written again.
  public init(
    vocabulary: [String], roles: TokenRoles, addedFlags: [AddedTokenFlags], merges: [PiecePair] = [], scores: [Double] = [],
    pipeline: TokenizerPipeline
  ) throws(RallyError) {
    guard addedFlags.count == roles.addedTokens.count else {
      throw RallyError(
        .invalidTokenizer, "flags of added tokens", expected: "one for each of \(roles.addedTokens.count)", found: "\(addedFlags.count)")
    }
    try roles.validate(tokenCount: vocabulary.count)
    let outside = zip(roles.addedTokens, addedFlags).filter { !$0.1.contains(.isInModel) }.map(\.0)
    let isUnigram = if case .unigram = pipeline.model { true } else { false }
    entries = try EntryTable(
      vocabulary, outsideModel: Set(outside), special: roles.specialTokens,
      maximumByteCount: isUnigram ? UnigramModel.maximumByteCount : Self.maximumByteCount, allowsRepeats: isUnigram)
    let readsBytes = if case .byteLevel = pipeline.preTokenizers.last { true } else { false }
    model = try Self.makeModel(pipeline.model, entries, merges, scores, readsBytes: readsBytes)
    keepsBytes = if case .bytePair(let model) = model { model.readsBytes } else { false }
    normalizer = TextNormalizer(pipeline.normalizers)
    let found = try Self.addedTexts(vocabulary, roles, addedFlags, normalizer)
    rawTokens = AddedTokenFinder(found.filter { !$0.flags.contains(.isNormalized) })
    normalizedTokens = AddedTokenFinder(found.filter { $0.flags.contains(.isNormalized) })
    texts = Dictionary(uniqueKeysWithValues: found.map { ($0.token, $0.text) })
    let special = Set(roles.specialTokens.map { vocabulary[Int($0)] })
    // As there: by what is decoded, which of a normalised token may be another text.
    isSkipped = Set(found.filter { special.contains(String(decoding: $0.text, as: UTF8.self)) }.map(\.token))
    bytes = Dictionary(
      entries.byteTokens().enumerated().filter { $0.element >= 0 }.map { ($0.element, UInt8($0.offset)) },
      uniquingKeysWith: { first, _ in first })
    self.pipeline = pipeline
    self.roles = roles
    self.addedFlags = addedFlags
    self.vocabulary = vocabulary
    self.merges = merges
    self.scores = scores
  }

  private static func makeModel(
    _ rules: PieceModelRules, _ entries: EntryTable, _ merges: [PiecePair], _ scores: [Double], readsBytes: Bool
  ) throws(RallyError) -> PieceModel {
    switch rules {
    case .bytePair(let options):
      return .bytePair(
        try BytePairModel(options, merges: merges.map { ($0.left, $0.right) }, entries: entries, readsBytes: readsBytes))
    case .unigram(let unknownToken, let fallsBackToBytes):
      return .unigram(
        try UnigramModel(unknownToken: unknownToken, fallsBackToBytes: fallsBackToBytes, scores: scores, entries: entries))
    case .wordPiece(let unknownToken, let prefix, let maximumWordLength):
      return .wordPiece(
        try WordPieceModel(
          unknownToken: unknownToken, prefix: prefix, maximumWordLength: maximumWordLength, entries: entries))
    }
  }

  /// Lends scratch memory to `body`.
  func withScratch(_ body: (inout Scratch) -> Void) {
    var scratch = scratches.withLock { $0.popLast() } ?? Scratch()
    body(&scratch)
    scratch.model.trim()
    scratches.withLock { if $0.count < Self.keptScratchCount { $0.append(scratch) } }
  }
}

extension PipelineTokenizer {
  /// What added tokens are found by: as they are written, or as they are normalised.
  private static func addedTexts(
    _ vocabulary: [String], _ roles: TokenRoles, _ flags: [AddedTokenFlags], _ normalizer: TextNormalizer
  ) throws(RallyError) -> [AddedTokenFinder.Entry] {
    var matcher = ExpressionMatcher()
    var found: [AddedTokenFinder.Entry] = []
    var known: [[UInt8]: (token: Int32, isNormalized: Bool)] = [:]
    let special = Set(roles.specialTokens)
    for (token, flags) in zip(roles.addedTokens, flags) {
      let subject = "added token \(token) \(quoted(vocabulary[Int(token)]))"
      let written = Array(vocabulary[Int(token)].utf8)
      guard !written.isEmpty, written.count <= VocabularyTable.maximumAddedByteCount else {
        throw RallyError(
          .invalidTokenizer, subject, expected: "1 to \(VocabularyTable.maximumAddedByteCount) bytes", found: "\(written.count)")
      }
      let isNormalized = flags.contains(.isNormalized)
      let text = isNormalized ? normalizer.normalize(written, &matcher).bytes : written
      guard !text.isEmpty else {
        throw RallyError(.invalidTokenizer, subject, expected: "text that is left when it is normalised", found: "none")
      }
      if let other = known[text], other.isNormalized == isNormalized {
        throw RallyError(
          .invalidTokenizer, subject, expected: "another text than all others", found: "that of token \(other.token)")
      }
      known[text] = (token, isNormalized)
      found.append(AddedTokenFinder.Entry(token: token, text: text, flags: flags, isSpecial: special.contains(token)))
    }
    return found
  }

  public var tokenCount: Int { entries.count }

  /// The entry of a token as the file writes it; none after the vocabulary.
  ///
  /// - Throws: `invalidToken` for an id outside the vocabulary and the model's ids.
  public func tokenBytes(_ id: Int32) throws(RallyError) -> [UInt8] {
    try check(id)
    return Array(entries.text(of: id))
  }

  /// Whether decoding leaves `id` out on request. False outside the vocabulary.
  public func isSpecial(_ id: Int32) -> Bool { isSkipped.contains(id) }

  func check(_ id: Int32, _ name: @autoclosure () -> String = "token") throws(RallyError) {
    try roles.check(id, tokenCount: tokenCount, name())
  }

  /// Whether both make the same tokens of every text.
  func encodes(like other: PipelineTokenizer) -> Bool {
    pipeline == other.pipeline && roles == other.roles && addedFlags == other.addedFlags && vocabulary == other.vocabulary
      && merges == other.merges && scores == other.scores
  }
}
