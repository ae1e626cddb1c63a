/// How tokens become text; the names are those of the Hugging Face library.
public enum TokenDecoder: Sendable, Equatable {
  /// No decoder: the entries with a space between them.
  case spaced
  /// The bytes that GPT-2's alphabet spells.
  case byteLevel
  case chain(DecoderChain)
}

/// What is done to each token, and to all of them together.
public struct DecoderChain: Sendable, Equatable {
  public enum Step: Sendable, Equatable {
    case replace(TextPattern, content: String)
    /// `replacement` becomes a space; in the first token it goes where `dropsFirst`.
    case metaspace(replacement: Unicode.Scalar, dropsFirst: Bool)
    /// A space before every token but the first that does not begin with `prefix`, which goes.
    case wordPiece(prefix: String, cleansUp: Bool)
    /// At most `start` of these at the beginning.
    case strip(Unicode.Scalar, start: Int)
  }

  /// To each token.
  public var steps: [Step]
  /// Then `<0x00>` to `<0xFF>` become bytes: a run of them that is no UTF-8 becomes U+FFFD for each.
  public var joinsBytes: Bool
  /// Then at most so many of these at the beginning of the text go.
  public var strips: Strip?

  public struct Strip: Sendable, Equatable {
    public var content: Unicode.Scalar
    public var start: Int

    public init(content: Unicode.Scalar, start: Int) {
      self.content = content
      self.start = start
    }
  }

  public init(steps: [Step], joinsBytes: Bool, strips: Strip?) {
    self.steps = steps
    self.joinsBytes = joinsBytes
    self.strips = strips
  }
}

extension DecoderChain.Step {
  /// - Parameter token: as the steps before left it.
  func apply(to token: inout [UInt8], isFirst: Bool, _ matcher: inout ExpressionMatcher) {
    switch self {
    case .replace(let pattern, let content):
      var output: [UInt8] = []
      var copied = 0
      pattern.forEachMatch(in: token.span, &matcher) { match in
        output += token[copied..<match.lowerBound] + Array(content.utf8)
        copied = match.upperBound
      }
      token = output + token[copied...]
    case .metaspace(let replacement, let dropsFirst):
      let mark = Array(String(replacement).utf8)
      var output: [UInt8] = []
      var copied = 0
      TextPattern.text(String(replacement)).forEachMatch(in: token.span, &matcher) { match in
        output += token[copied..<match.lowerBound] + (isFirst && dropsFirst ? [] : [0x20])
        copied = match.lowerBound + mark.count
      }
      token = output + token[copied...]
    case .wordPiece(let prefix, let cleansUp):
      if !isFirst { token = token.starts(with: prefix.utf8) ? Array(token.dropFirst(prefix.utf8.count)) : [0x20] + token }
      if cleansUp { WordPieceTokenizer.cleanUp(&token) }
    case .strip(let content, let start):
      let mark = Array(String(content).utf8)
      var count = 0
      while count < start, token.span.holds(mark, at: count * mark.count) { count += 1 }
      token.removeFirst(count * mark.count)
    }
  }
}
