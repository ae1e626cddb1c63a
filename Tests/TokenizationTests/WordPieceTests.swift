import Files
import Testing

@testable import Tokenization

/// BERT's tokenizer: equality with the Hugging Face library as recorded, and laws.
struct WordPieceTests {
  @Test func encodesAndDecodesAsRecorded() throws {
    var tokenizers: [Substring: WordPieceTokenizer] = [:]
    let cases = try Fixtures.lines("bert.cases.txt")
    #expect(cases.count > 2000)
    for line in cases {
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
      let tokenizer = try tokenizers[fields[0]] ?? Fixtures.wordPiece(fields[0])
      tokenizers[fields[0]] = tokenizer
      let text = Fixtures.bytes(fields[1])
      let wanted = fields[2].split(separator: " ").compactMap { Int32($0) }
      let options = EncodingOptions(parsesSpecialTokens: fields[0].contains("p"))
      #expect(
        try encode(text, tokenizer, options) == wanted,
        "\(fields[0]) \(String(decoding: text, as: UTF8.self).debugDescription)")
      #expect(try tokenizer.decode(wanted) == Fixtures.bytes(fields[3]))
      #expect(try streamed(wanted, tokenizer, skips: false) == Fixtures.bytes(fields[3]))
      #expect(try streamed(wanted, tokenizer, skips: true) == tokenizer.decode(wanted, skipsSpecialTokens: true))
    }
  }

  @Test func aTokenAddsNoMoreThanIsSaid() throws {
    let tokenizer = TextTokenizer.wordPiece(try small())
    #expect(tokenizer.greatestByteCount == 6)  // "##able" at the beginning; "[UNK]" with a space
    for first in 0..<Int32(tokenizer.tokenCount) {
      for second in 0..<Int32(tokenizer.tokenCount) {
        var decoder = StreamDecoder(tokenizer: tokenizer, skipsSpecialTokens: false)
        #expect(try decoder.push(first).count <= 6)
        #expect(try decoder.push(second).count <= 6 + 3)
      }
    }
  }

  private func streamed(_ tokens: [Int32], _ tokenizer: WordPieceTokenizer, skips: Bool) throws -> [UInt8] {
    var decoder = StreamDecoder(tokenizer: .wordPiece(tokenizer), skipsSpecialTokens: skips)
    var text: [UInt8] = []
    for token in tokens { text += try decoder.push(token) }
    return text + decoder.finish()
  }

  // Ids of `small`.
  private static let unknown: Int32 = 1
  private static let small = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "##a", "a", ",", "##b", "##", "ab", "é"]

  private func small(
    _ change: (inout WordPieceRules) -> Void = { _ in }, roles: TokenRoles = TokenRoles()
  ) throws(RallyError) -> WordPieceTokenizer {
    var rules = WordPieceRules(unknownToken: Self.unknown)
    change(&rules)
    return try WordPieceTokenizer(vocabulary: Self.small, rules: rules, roles: roles)
  }

  private func encode(
    _ text: String, _ tokenizer: WordPieceTokenizer, _ options: EncodingOptions = EncodingOptions()
  ) throws -> [Int32] {
    try tokenizer.encode(text.utf8.span, options: options)
  }

  private func encode(
    _ text: [UInt8], _ tokenizer: WordPieceTokenizer, _ options: EncodingOptions = EncodingOptions()
  ) throws -> [Int32] {
    try tokenizer.encode(text.span, options: options)
  }

  @Test func takesTheLongestPieceFromTheLeft() throws {
    let tokenizer = try small()
    #expect(try encode("unaffable", tokenizer) == [4, 5, 6])
    #expect(try encode("UNAFFABLE, Ab", tokenizer) == [4, 5, 6, 9, 12])
    #expect(try encode("unaffabl a", tokenizer) == [Self.unknown, 8])
    #expect(try encode("##", tokenizer) == [Self.unknown, Self.unknown])
    #expect(try encode("", tokenizer).isEmpty && encode(" \n\u{3000}", tokenizer).isEmpty)
    #expect(try encode("a,,a", tokenizer) == [8, 9, 9, 8])
  }

  @Test func aWordThatIsTooLongIsUnknown() throws {
    let tokenizer = try small { $0.maximumWordLength = 3 }
    #expect(try encode("aaa aaaa", tokenizer) == [8, 7, 7, Self.unknown])
    // Scalars count as they are after normalisation.
    #expect(try encode("a\u{301}a\u{301}a\u{301}", tokenizer) == [8, 7, 7])
  }

  @Test func bytesThatAreNoTextAreReplacementCharacters() throws {
    let broken: [UInt8] = [0x61, 0xFF, 0x62, 0xC3]
    #expect(try encode(broken, small()) == [12])
    #expect(try encode(broken, small { $0.cleansText = false }) == [Self.unknown])
    var generator = SeededGenerator(state: 1)
    for byteCount in 0..<200 {
      let text = randomText(byteCount: byteCount, using: &generator)
      for finds in [false, true] {
        let tokens = try encode(text, small(), EncodingOptions(parsesSpecialTokens: finds))
        #expect(String(validating: try small().decode(tokens), as: UTF8.self) != nil)
      }
    }
  }

  @Test func findsAddedTokensWhereTheyAreLookedFor() throws {
    let roles = TokenRoles(
      addedTokens: [2, 3, 12, 13], specialTokens: [2, 3], beginningOfSequence: 2, endOfSequence: 3,
      addsBeginningOfSequence: true, addsEndOfSequence: true)
    let tokenizer = try small(roles: roles)
    #expect(try encode("[CLS]a[SEP]", tokenizer) == [2, 2, 8, 3, 3])
    // "ab" within a word, and "é" as what it is normalised to, "e".
    #expect(try encode("aaba E e\u{301}", tokenizer) == [2, 8, 12, 8, 13, 13, 3])
    let plain = EncodingOptions(addsBeginningOfSequence: false, addsEndOfSequence: false, parsesSpecialTokens: false)
    #expect(try encode("[CLS]", tokenizer, plain).allSatisfy { $0 == Self.unknown })
    #expect(try tokenizer.decode([2, 8, 3], skipsSpecialTokens: true) == Array("a".utf8))
    #expect(throws: RallyError.self) { try encode("", small(), EncodingOptions(addsBeginningOfSequence: true)) }
  }

  @Test func joinsPiecesAndCleansUp() throws {
    let tokenizer = try small()
    #expect(try tokenizer.decode([4, 5, 6, 9, 8, 11]) == Array("unaffable, a".utf8))
    #expect(try small { $0.cleansUpDecoding = false }.decode([4, 5, 9]) == Array("unaff ,".utf8))
    #expect(try tokenizer.decode([5, 4]) == Array("##aff un".utf8), "the first keeps its prefix")
    #expect(try tokenizer.tokenBytes(5) == Array("##aff".utf8))
    let error = #expect(throws: RallyError.self) { try tokenizer.decode([0, 14]) }
    #expect(error?.code == .invalidToken && error?.subject == "token 1")
  }

  private static let bad: [(named: String, vocabulary: [String], roles: TokenRoles, unknown: Int32)] = [
    ("vocabulary: expected 1 to", [], TokenRoles(), 0),
    ("vocabulary entry 1: expected 1 to 4096 bytes, found 0", ["a", ""], TokenRoles(), 0),
    ("vocabulary entry 2 \"a\": expected each entry once, found it at 0", ["a", "b", "a"], TokenRoles(), 0),
    ("unknown token: expected an id from 0 to 0, found 1", ["a"], TokenRoles(), 1),
    ("unknown token: expected an id from 0 to 0, found -1", ["a"], TokenRoles(), -1),
    ("beginning of sequence: expected an id from", ["a"], TokenRoles(beginningOfSequence: 7), 0),
    ("special token 0: expected one of the added tokens", ["a"], TokenRoles(specialTokens: [0]), 0),
    ("added token 0 \"\u{301}\": expected text that is left", ["\u{301}", "a"], TokenRoles(addedTokens: [0]), 1),
    ("added token 1 \"É\": expected another normalised text", ["e", "É", "a"], TokenRoles(addedTokens: [0, 1]), 2),
  ]

  @Test(arguments: bad)
  func refuses(_ bad: (named: String, vocabulary: [String], roles: TokenRoles, unknown: Int32)) {
    let error = #expect(throws: RallyError.self) {
      try WordPieceTokenizer(
        vocabulary: bad.vocabulary, rules: WordPieceRules(unknownToken: bad.unknown), roles: bad.roles)
    }
    #expect(error?.code == .invalidTokenizer)
    #expect(error?.message.contains(bad.named) == true, "\(error?.message ?? "")")
  }

  /// A test of its own: the runner prints the arguments of the one above.
  @Test func refusesTooLargeAVocabulary() {
    let vocabulary = (0..<4100).map { "\($0 + 1000)" + String(repeating: "a", count: 4092) }
    refuses(("vocabulary: expected at most 16777216 bytes", vocabulary, TokenRoles(), 0))
  }

  /// A step that is quadratic in the text would take minutes.
  @Test(arguments: ["a", "ab", ",", " ", "\n", "é", "中", "각", "\u{1B44}", "\u{301}", "[CLS", "\u{8D4}\u{1B44}"])
  func takesBoundedTime(pattern: String) throws {
    let text = String(repeating: pattern, count: 60_000 / pattern.utf8.count)
    let long = try small { $0.maximumWordLength = .max }
    let (_, seconds) = try timed {
      for settings: Substring in ["cialp", "", "a"] { _ = try encode(text, Fixtures.wordPiece(settings)) }
      _ = try encode(text, long)
    }
    #expect(seconds < 60)
  }

  @Test func tellsTokenizersApart() throws {
    let one = TextTokenizer.wordPiece(try small())
    #expect(one.encodes(like: .wordPiece(try small())))
    #expect(!one.encodes(like: .wordPiece(try small { $0.lowercases = false })))
    #expect(!one.encodes(like: .bytePair(try Fixtures.tokenizer(.gpt2))))
    #expect(try one.encode("a") == [8] && one.decode([8]) == Array("a".utf8) && one.tokenCount == Self.small.count)
  }
}
