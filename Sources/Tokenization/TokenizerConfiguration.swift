/// How text becomes words, and which vocabulary entries are more than text.
///
/// Everything a byte-pair tokenizer needs besides its vocabulary and merges.
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
  /// The added tokens are not written in the byte alphabet.
  public var roles: TokenRoles

  public init(preTokenizer: PreTokenizer, addsPrefixSpace: Bool = false, roles: TokenRoles = TokenRoles()) {
    self.preTokenizer = preTokenizer
    self.addsPrefixSpace = addsPrefixSpace
    self.roles = roles
  }
}
