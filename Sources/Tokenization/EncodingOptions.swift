/// Who wrote a text: where nobody says otherwise, that decides whether special tokens in it are read as such. The one place for
/// this rule.
public enum TextSource: Sendable {
  /// The program: prompts, templates, what it encodes itself. As in Hugging Face's libraries, `<|endoftext|>` is its one token.
  case program
  /// Anybody: documents that are rated, measured or calibrated with, and what a server's clients send. No token that steers the
  /// model comes out of it; `<|endoftext|>` is these characters.
  case anybody

  public var parsesSpecialTokens: Bool { self == .program }
}

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
