public import Tensors

/// A tokenizer of any of the kinds that a model file may carry.
///
/// Immutable, and safe to share between threads. What is said of `encode` and `decode` is said at the two kinds.
public enum TextTokenizer: Sendable {
  /// GPT-2's family.
  case bytePair(BytePairTokenizer)
  /// BERT's; raters only.
  case wordPiece(WordPieceTokenizer)
}

extension TextTokenizer {
  public func encode(
    _ text: Span<UInt8>, options: EncodingOptions = EncodingOptions()
  ) throws(RallyError) -> [Int32] {
    switch self {
    case .bytePair(let tokenizer): try tokenizer.encode(text, options: options)
    case .wordPiece(let tokenizer): try tokenizer.encode(text, options: options)
    }
  }

  public func encode(
    _ text: [UInt8], options: EncodingOptions = EncodingOptions()
  ) throws(RallyError) -> [Int32] {
    try encode(text.span, options: options)
  }

  public func encode(
    _ text: String, options: EncodingOptions = EncodingOptions()
  ) throws(RallyError) -> [Int32] {
    try encode(text.utf8.span, options: options)
  }

  public func decode(_ tokens: [Int32], skipsSpecialTokens: Bool = false) throws(RallyError) -> [UInt8] {
    switch self {
    case .bytePair(let tokenizer): try tokenizer.decode(tokens, skipsSpecialTokens: skipsSpecialTokens)
    case .wordPiece(let tokenizer): try tokenizer.decode(tokens, skipsSpecialTokens: skipsSpecialTokens)
    }
  }
}

extension TextTokenizer {
  public var roles: TokenRoles {
    switch self {
    case .bytePair(let tokenizer): tokenizer.configuration.roles
    case .wordPiece(let tokenizer): tokenizer.roles
    }
  }

  public var tokenCount: Int {
    switch self {
    case .bytePair(let tokenizer): tokenizer.tokenCount
    case .wordPiece(let tokenizer): tokenizer.tokenCount
    }
  }

  /// The bytes of a token's entry.
  ///
  /// - Throws: `invalidToken` for an id outside the vocabulary and the model's ids.
  public func tokenBytes(_ id: Int32) throws(RallyError) -> [UInt8] {
    switch self {
    case .bytePair(let tokenizer): try tokenizer.tokenBytes(id)
    case .wordPiece(let tokenizer): try tokenizer.tokenBytes(id)
    }
  }

  /// Whether `id` is a special token. False outside the vocabulary.
  public func isSpecial(_ id: Int32) -> Bool {
    switch self {
    case .bytePair(let tokenizer): tokenizer.isSpecial(id)
    case .wordPiece(let tokenizer): tokenizer.isSpecial(id)
    }
  }

  /// Whether both make the same tokens of every text. O(n) in the vocabularies.
  public func encodes(like other: TextTokenizer) -> Bool {
    switch (self, other) {
    case (.bytePair(let one), .bytePair(let other)):
      one.configuration == other.configuration && one.vocabulary == other.vocabulary && one.merges == other.merges
    case (.wordPiece(let one), .wordPiece(let other)):
      one.rules == other.rules && one.roles == other.roles && one.vocabulary == other.vocabulary
    default: false
    }
  }

  func check(_ id: Int32) throws(RallyError) { try roles.check(id, tokenCount: tokenCount, "token") }

  /// Appends what a token of the vocabulary stands for, as the first of a text or behind others; nothing for an id behind
  /// the vocabulary.
  func append(_ id: Int32, isFirst: Bool, to bytes: inout [UInt8]) {
    switch self {
    case .bytePair(let tokenizer): tokenizer.append(id, to: &bytes)
    case .wordPiece(let tokenizer): tokenizer.append(id, isFirst: isFirst, to: &bytes)
    }
  }
}
