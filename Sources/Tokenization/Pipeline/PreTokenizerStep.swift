/// How a text is cut into the pieces that tokens stay within; the names are those of the Hugging Face library.
public enum PreTokenizerStep: Sendable, Equatable {
  /// Bytes become the characters of GPT-2's alphabet, after its expression has cut the text.
  case byteLevel(addsPrefixSpace: Bool, usesExpression: Bool)
  case split(TextPattern, SplitBehavior, isInverted: Bool)
  case digits(areIndividual: Bool)
  /// Spaces become `replacement`, which pieces begin with.
  case metaspace(replacement: Unicode.Scalar, PrependScheme, splits: Bool)
  /// `\w+|[^\w\s]+`
  case whitespace
  case whitespaceSplit
  case punctuation(SplitBehavior)
  /// White space goes, and each punctuation mark is a piece.
  case bert
}

/// What becomes of the matches that cut a text.
public enum SplitBehavior: String, Sendable, CaseIterable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"
}

/// Which texts get a space that they do not begin with.
public enum PrependScheme: String, Sendable, CaseIterable {
  /// Every text between added tokens.
  case always
  /// Only what stands at the beginning.
  case first
  case never
}
