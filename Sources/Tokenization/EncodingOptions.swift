/// What `encode` adds to a text and looks for in it. The defaults are those of Hugging Face.
public struct EncodingOptions: Sendable, Equatable {
  /// Whether the beginning of sequence comes first; nil is what the configuration says.
  public var addsBeginningOfSequence: Bool?
  /// Whether the end of sequence comes last; nil is what the configuration says.
  public var addsEndOfSequence: Bool?
  /// Reads special tokens in the text as such; off, `<|endoftext|>` is just these characters. Added tokens that are not special are
  /// always found.
  public var parsesSpecialTokens: Bool

  public init(
    addsBeginningOfSequence: Bool? = nil, addsEndOfSequence: Bool? = nil,
    parsesSpecialTokens: Bool = TextSource.program.parsesSpecialTokens
  ) {
    self.addsBeginningOfSequence = addsBeginningOfSequence
    self.addsEndOfSequence = addsEndOfSequence
    self.parsesSpecialTokens = parsesSpecialTokens
  }

  /// The defaults for a text from there.
  public init(of source: TextSource) { self.init(parsesSpecialTokens: source.parsesSpecialTokens) }
}
