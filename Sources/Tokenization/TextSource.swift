/// Who wrote a text: unless a caller says otherwise, that decides whether special tokens in it are read as such. The one place for
/// this rule.
public enum TextSource: Sendable {
  /// The program: prompts, templates, what it encodes itself. As in Hugging Face's libraries, `<|endoftext|>` is its one token.
  case program
  /// Anybody: documents that are rated, measured or calibrated with, and what a server's clients send. No token that steers the
  /// model comes out of it; `<|endoftext|>` is these characters.
  case anybody

  public var parsesSpecialTokens: Bool { self == .program }
}
