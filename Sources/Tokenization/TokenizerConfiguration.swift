import Tensors

/// How text becomes words, and which vocabulary entries are more than text.
///
/// Everything a tokenizer needs besides its vocabulary and merges. Ids index the vocabulary.
public struct TokenizerConfiguration: Sendable, Equatable {
  /// How text is cut into the words that merges stay within.
  public enum PreTokenizer: String, Sendable, CaseIterable {
    /// GPT-2's expression:
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
    case gpt2
    /// Every digit stands alone, then GPT-2's expression on what lies between. SmolLM, StarCoder.
    case smollm
  }

  public var preTokenizer: PreTokenizer
  /// Puts a space before each piece of text that does not start with one.
  public var addsPrefixSpace: Bool
  /// Entries that are literal text, not written in the byte alphabet, and are found in the input
  /// before it is cut into words.
  public var addedTokens: [Int32]
  /// The added tokens that steer a model (end of text, roles). Found before the other added tokens,
  /// and left out of decoded text on request.
  public var specialTokens: [Int32]
  public var beginningOfSequence: Int32?
  public var endOfSequence: Int32?
  /// Whether `encode` puts `beginningOfSequence` first when its options do not say.
  public var addsBeginningOfSequence: Bool
  /// Whether `encode` puts `endOfSequence` last when its options do not say.
  public var addsEndOfSequence: Bool
  /// Ids that a model may predict, where its table is larger than the vocabulary: those behind the
  /// last entry are decoded to nothing, as Hugging Face does. Not less than the vocabulary counts.
  public var idCount = 0

  public init(
    preTokenizer: PreTokenizer, addsPrefixSpace: Bool = false,
    addedTokens: [Int32] = [], specialTokens: [Int32] = [],
    beginningOfSequence: Int32? = nil, endOfSequence: Int32? = nil,
    addsBeginningOfSequence: Bool = false, addsEndOfSequence: Bool = false
  ) {
    self.preTokenizer = preTokenizer
    self.addsPrefixSpace = addsPrefixSpace
    self.addedTokens = addedTokens
    self.specialTokens = specialTokens
    self.beginningOfSequence = beginningOfSequence
    self.endOfSequence = endOfSequence
    self.addsBeginningOfSequence = addsBeginningOfSequence
    self.addsEndOfSequence = addsEndOfSequence
  }
}

extension TokenizerConfiguration {
  /// Checks every id against a vocabulary of `tokenCount` entries.
  func validate(tokenCount: Int) throws(RallyError) {
    try validate(addedTokens, named: "added token", tokenCount: tokenCount)
    try validate(specialTokens, named: "special token", tokenCount: tokenCount)
    let added = Set(addedTokens)
    for id in specialTokens where !added.contains(id) {
      throw RallyError(
        .invalidTokenizer, "special token \(id)", expected: "one of the added tokens",
        found: "an ordinary entry")
    }
    try validate([beginningOfSequence].compactMap(\.self), named: "beginning of sequence", tokenCount: tokenCount)
    try validate([endOfSequence].compactMap(\.self), named: "end of sequence", tokenCount: tokenCount)
    if addsBeginningOfSequence, beginningOfSequence == nil {
      throw RallyError(.invalidTokenizer, "beginning of sequence", expected: "an id to add", found: "none")
    }
    if addsEndOfSequence, endOfSequence == nil {
      throw RallyError(.invalidTokenizer, "end of sequence", expected: "an id to add", found: "none")
    }
  }

  private func validate(_ ids: [Int32], named name: String, tokenCount: Int) throws(RallyError) {
    var seen: Set<Int32> = []
    for id in ids {
      guard id >= 0, Int(id) < tokenCount else {
        throw RallyError(
          .invalidTokenizer, name, expected: "an id from 0 to \(tokenCount - 1)", found: "\(id)")
      }
      guard seen.insert(id).inserted else {
        throw RallyError(.invalidTokenizer, "\(name) \(id)", expected: "each id once", found: "it twice")
      }
    }
  }
}

extension TokenizerConfiguration {
  /// The token to put first, if any.
  func beginning(wished: Bool?) throws(RallyError) -> Int32? {
    guard wished ?? addsBeginningOfSequence else { return nil }
    guard let token = beginningOfSequence else { throw Self.none("beginning of sequence") }
    return token
  }

  /// The token to put last, if any.
  func end(wished: Bool?) throws(RallyError) -> Int32? {
    guard wished ?? addsEndOfSequence else { return nil }
    guard let token = endOfSequence else { throw Self.none("end of sequence") }
    return token
  }

  private static func none(_ name: String) -> RallyError {
    RallyError(.invalidArgument, name, expected: "a tokenizer that has one", found: "none")
  }
}
