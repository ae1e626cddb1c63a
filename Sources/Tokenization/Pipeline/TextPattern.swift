public import Files

/// What a step looks for in a text.
public enum TextPattern: Sendable, Equatable {
  case text(String)
  case expression(TextExpression)
}

/// A regular expression in the syntax of Oniguruma, compiled.
public struct TextExpression: Sendable, Equatable {
  let expression: Expression

  /// - Throws: `invalidTokenizer` for a part that is not supported, naming it.
  public init(_ source: String) throws(RallyError) { expression = try Expression(source) }
}

extension TextPattern {
  func forEachMatch(in text: Span<UInt8>, _ matcher: inout ExpressionMatcher, _ body: (Range<Int>) -> Void) {
    guard text.count > 0 else { return }
    switch self {
    case .expression(let found): matcher.forEachMatch(of: found.expression, in: text, body)
    case .text(let wanted): Self.forEach(Array(wanted.utf8), in: text, body)
    }
  }

  /// Not overlapping, from the left. O(n) times the length of what is looked for.
  static func forEach(_ wanted: [UInt8], in text: Span<UInt8>, _ body: (Range<Int>) -> Void) {
    guard let first = wanted.first else { return }
    var position = 0
    while position + wanted.count <= text.count {
      guard text[position] == first, matches(wanted, text, position) else {
        position += 1
        continue
      }
      body(position..<position + wanted.count)
      position += wanted.count
    }
  }

  private static func matches(_ wanted: [UInt8], _ text: Span<UInt8>, _ position: Int) -> Bool {
    for index in 1..<wanted.count where text[position + index] != wanted[index] { return false }
    return true
  }
}
