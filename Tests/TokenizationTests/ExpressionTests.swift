import Testing

@testable import Tokenization

/// The table of an expression against the matcher that goes back, and what has no table.
struct ExpressionTests {
  /// What published tokenizers cut by, and parts that a table must get right: order, greed, ends.
  static let sources = [
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
    #"[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"#,
    #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'ll)?|\p{N}{1,3}|\s+(?!\S)|\s+"#,
    #"\s?\p{L}+|\s?\p{P}+|[一-龥]+|\s+$"#,
    #" ?[^(\s|[.,!?…。，、।۔،])]+"#,
    "ab|a|b+?c|(?:ab)*?c|a{2,4}b|[^a]{3}", "a++b|a*|b$", "(?:a|b)*c|(?=a)a|b(?!b)", #"a\z|(?:ab?)+c|\n$"#, " {2,}",
  ]

  private static let parts = [
    "a", "b", "c", "ab", "A", "é", "e\u{301}", "中", "я", " ", "  ", "\n", "\r\n", "\t", "\u{A0}", "'s", "'LL", "1", "2345", "½", ".", "(",
    "!?", "\u{301}", "😀", "word", "Word",
  ]

  private func matches(_ body: ((Range<Int>) -> Void) -> Void) -> [Range<Int>] {
    var found: [Range<Int>] = []
    body { found.append($0) }
    return found
  }

  @Test(arguments: sources)
  func tableFindsWhatTheMatcherFinds(source: String) throws {
    let expression = try Expression(source)
    let automaton = try #require(expression.automaton)
    var generator = SeededGenerator(state: UInt64(source.utf8.count))
    var matcher = ExpressionMatcher()
    for number in 0..<3000 {
      let parts = (0..<Int.random(in: 0...12, using: &generator)).compactMap { _ in Self.parts.randomElement(using: &generator) }
      var text = Array(parts.joined().utf8)
      // Also bytes that are part of no scalar.
      if number % 5 == 0, let place = text.indices.randomElement(using: &generator) {
        text[place] = UInt8.random(in: 0x80...0xFF, using: &generator)
      }
      let plain = matches { matcher.forEachMatchGoingBack(of: expression, in: text.span, $0) }
      let fast = matches { matcher.forEachMatch(of: expression, automaton, in: text.span, $0) }
      #expect(fast == plain, "\(text)")
    }
  }

  /// Searches that fail far away, from every place: the matcher goes on, and finds what follows.
  @Test func handsOverWhatItReadsAgainAndAgain() throws {
    let expression = try Expression("a+b|c")
    let automaton = try #require(expression.automaton)
    let text = Array((String(repeating: "a", count: 5000) + "c" + String(repeating: "a", count: 3000) + "bc").utf8)
    var matcher = ExpressionMatcher()
    let plain = matches { matcher.forEachMatchGoingBack(of: expression, in: text.span, $0) }
    let fast = matches { matcher.forEachMatch(of: expression, automaton, in: text.span, $0) }
    #expect(plain == [5000..<5001, 5001..<8002, 8002..<8003] && fast == plain)
  }

  /// A look-ahead of more than one character, one behind, and runs of many lengths are for the matcher.
  @Test(arguments: ["a(?=bc)", "(?<=a)b", "(?>a|ab)c", "^a", "a{1,40}b", #"a\Z"#])
  func hasNoTable(source: String) throws {
    #expect(try Expression(source).automaton == nil)
  }
}
