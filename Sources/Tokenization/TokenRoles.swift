import Files

/// Which vocabulary entries are more than text. Ids index the vocabulary.
public struct TokenRoles: Sendable, Equatable {
  /// Entries that are literal text and are found in the input before it is cut into words.
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
  /// Ids that a model may predict, where its table is larger than the vocabulary: those after the
  /// last entry are decoded to nothing, as Hugging Face does. Not less than the vocabulary counts.
  public var idCount = 0

  public init(
    addedTokens: [Int32] = [], specialTokens: [Int32] = [],
    beginningOfSequence: Int32? = nil, endOfSequence: Int32? = nil,
    addsBeginningOfSequence: Bool = false, addsEndOfSequence: Bool = false
  ) {
    self.addedTokens = addedTokens
    self.specialTokens = specialTokens
    self.beginningOfSequence = beginningOfSequence
    self.endOfSequence = endOfSequence
    self.addsBeginningOfSequence = addsBeginningOfSequence
    self.addsEndOfSequence = addsEndOfSequence
  }
}

extension TokenRoles {
  /// Checks every id against a vocabulary of `tokenCount` entries.
  func validate(tokenCount: Int) throws(RallyError) {
    try Self.validate(addedTokens, named: "added token", tokenCount: tokenCount)
    try Self.validate(specialTokens, named: "special token", tokenCount: tokenCount)
    let added = Set(addedTokens)
    for id in specialTokens where !added.contains(id) {
      throw RallyError(
        .invalidTokenizer, "special token \(id)", expected: "one of the added tokens",
        found: "an ordinary entry")
    }
    try Self.validate([beginningOfSequence].compactMap(\.self), named: "beginning of sequence", tokenCount: tokenCount)
    try Self.validate([endOfSequence].compactMap(\.self), named: "end of sequence", tokenCount: tokenCount)
    if addsBeginningOfSequence, beginningOfSequence == nil {
      throw RallyError(.invalidTokenizer, "beginning of sequence", expected: "an id to add", found: "none")
    }
    if addsEndOfSequence, endOfSequence == nil {
      throw RallyError(.invalidTokenizer, "end of sequence", expected: "an id to add", found: "none")
    }
  }

  static func validate(_ ids: [Int32], named name: String, tokenCount: Int) throws(RallyError) {
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

extension TokenRoles {
  /// The tokens to put before and after a text, if any.
  ///
  /// - Throws: `limitExceeded` for a text of more than `Int32.max` bytes; `invalidArgument` when a beginning or end is asked for
  ///   that there is none of.
  func frame(
    of text: Span<UInt8>, _ options: EncodingOptions
  ) throws(RallyError) -> (first: Int32?, last: Int32?) {
    guard text.count <= Int32.max else {
      throw RallyError(.limitExceeded, "text", expected: "at most \(Int32.max) bytes", found: "\(text.count)")
    }
    return (
      try beginning(requested: options.addsBeginningOfSequence), try end(requested: options.addsEndOfSequence)
    )
  }

  private func beginning(requested: Bool?) throws(RallyError) -> Int32? {
    guard requested ?? addsBeginningOfSequence else { return nil }
    guard let token = beginningOfSequence else { throw Self.none("beginning of sequence") }
    return token
  }

  private func end(requested: Bool?) throws(RallyError) -> Int32? {
    guard requested ?? addsEndOfSequence else { return nil }
    guard let token = endOfSequence else { throw Self.none("end of sequence") }
    return token
  }

  private static func none(_ name: String) -> RallyError {
    RallyError(.invalidArgument, name, expected: "a tokenizer that has one", found: "none")
  }
}

extension TokenRoles {
  /// - Throws: `invalidToken` for an id outside the vocabulary and the model's ids.
  func check(_ id: Int32, tokenCount: Int, _ name: @autoclosure () -> String) throws(RallyError) {
    let count = max(tokenCount, idCount)
    guard id >= 0, Int(id) < count else {
      throw RallyError(.invalidToken, name(), expected: "an id from 0 to \(count - 1)", found: "\(id)")
    }
  }
}
