public import Files

/// A tokenizer of any of the kinds that a model file may carry.
///
/// Immutable, and safe to share between threads. What is said of `encode` and `decode` is said at the two kinds.
public enum TextTokenizer: Sendable {
  /// GPT-2's family.
  case bytePair(BytePairTokenizer)
  /// BERT's; raters only.
  case wordPiece(WordPieceTokenizer)
  /// Any other that a `tokenizer.json` describes.
  case pipeline(PipelineTokenizer)
}

extension TextTokenizer {
  public func encode(
    _ text: Span<UInt8>, options: EncodingOptions = EncodingOptions()
  ) throws(RallyError) -> [Int32] {
    switch self {
    case .bytePair(let tokenizer): try tokenizer.encode(text, options: options)
    case .wordPiece(let tokenizer): try tokenizer.encode(text, options: options)
    case .pipeline(let tokenizer): try tokenizer.encode(text, options: options)
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
    case .pipeline(let tokenizer): try tokenizer.decode(tokens, skipsSpecialTokens: skipsSpecialTokens)
    }
  }
}

extension TextTokenizer {
  public var roles: TokenRoles {
    switch self {
    case .bytePair(let tokenizer): tokenizer.configuration.roles
    case .wordPiece(let tokenizer): tokenizer.roles
    case .pipeline(let tokenizer): tokenizer.roles
    }
  }

  public var tokenCount: Int {
    switch self {
    case .bytePair(let tokenizer): tokenizer.tokenCount
    case .wordPiece(let tokenizer): tokenizer.tokenCount
    case .pipeline(let tokenizer): tokenizer.tokenCount
    }
  }

  /// The bytes of a token's entry.
  ///
  /// - Throws: `invalidToken` for an id outside the vocabulary and the model's ids.
  public func tokenBytes(_ id: Int32) throws(RallyError) -> [UInt8] {
    switch self {
    case .bytePair(let tokenizer): try tokenizer.tokenBytes(id)
    case .wordPiece(let tokenizer): try tokenizer.tokenBytes(id)
    case .pipeline(let tokenizer): try tokenizer.tokenBytes(id)
    }
  }

  /// Whether `id` is a special token. False outside the vocabulary.
  public func isSpecial(_ id: Int32) -> Bool {
    switch self {
    case .bytePair(let tokenizer): tokenizer.isSpecial(id)
    case .wordPiece(let tokenizer): tokenizer.isSpecial(id)
    case .pipeline(let tokenizer): tokenizer.isSpecial(id)
    }
  }

  /// The most bytes that one token adds to a text, at its beginning or later. O(n) in the vocabulary.
  public var greatestByteCount: Int {
    var most = 0
    var bytes: [UInt8] = []
    for isFirst in [true, false] {
      for id in 0..<Int32(tokenCount) {
        var state = StreamState()
        if !isFirst { state.passBeginning() }
        append(id, &state, to: &bytes)
        finish(&state, to: &bytes)
        most = max(most, bytes.count)
        bytes.removeAll(keepingCapacity: true)
      }
    }
    return most
  }

  /// Whether both make the same tokens of every text. O(n) in the vocabularies.
  public func encodes(like other: TextTokenizer) -> Bool {
    switch (self, other) {
    case (.bytePair(let one), .bytePair(let other)):
      one.configuration == other.configuration && one.vocabulary == other.vocabulary && one.merges == other.merges
    case (.wordPiece(let one), .wordPiece(let other)):
      one.rules == other.rules && one.roles == other.roles && one.vocabulary == other.vocabulary
    case (.pipeline(let one), .pipeline(let other)): one.encodes(like: other)
    default: false
    }
  }

  func check(_ id: Int32) throws(RallyError) { try roles.check(id, tokenCount: tokenCount, "token") }

  /// Appends what has become text with a token of the vocabulary; nothing for an id after the vocabulary.
  func append(_ id: Int32, _ state: inout StreamState, to bytes: inout [UInt8]) {
    switch self {
    case .bytePair(let tokenizer): tokenizer.append(id, to: &bytes)
    case .wordPiece(let tokenizer): tokenizer.append(id, isFirst: state.isFirst, to: &bytes)
    case .pipeline(let tokenizer): tokenizer.append(id, &state.pipeline, to: &bytes)
    }
    state.isFirst = false
  }

  /// Appends what was held back, and starts again.
  func finish(_ state: inout StreamState, to bytes: inout [UInt8]) {
    if case .pipeline(let tokenizer) = self { state.pipeline.finish(tokenizer.pipeline.decoder, to: &bytes) }
    state = StreamState()
  }
}

/// How far a text is decoded.
struct StreamState: Sendable {
  var isFirst = true
  var pipeline = DecodingState()

  /// As after a token that is none of the bytes.
  mutating func passBeginning() {
    isFirst = false
    pipeline.passBeginning()
  }
}
