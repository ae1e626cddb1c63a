import Files
import Testing

@testable import Tokenization

/// What a file or a caller can say wrongly, and what the error names.
struct ValidationTests {
  struct Bad: Sendable, CustomTestStringConvertible {
    var named: String
    var vocabulary = byteVocabulary()
    var merges: [String] = []
    var configuration = TokenizerConfiguration(preTokenizer: .gpt2)
    var testDescription: String { named }
  }

  private static let bad: [Bad] = [
    Bad(named: "vocabulary: expected 1 to", vocabulary: []),
    Bad(named: "vocabulary entry 256: expected 1 to 4096 bytes, found 0", vocabulary: byteVocabulary([""])),
    Bad(named: "vocabulary entry 256 \"a\": expected each entry once, found it at 97", vocabulary: byteVocabulary(["a"])),
    Bad(named: "vocabulary entry 256 \"a b\": expected characters of the byte alphabet, found U+20", vocabulary: byteVocabulary(["a b"])),
    Bad(named: "found U+4E2D", vocabulary: byteVocabulary(["中"])),
    Bad(named: "vocabulary entry 256: expected", vocabulary: byteVocabulary([String(repeating: "a", count: 4097)])),
    Bad(named: "vocabulary entry 256: expected", vocabulary: byteVocabulary([String(repeating: "a", count: 10_000_000)])),
    Bad(named: "merge 0 \"ab\": expected two entries with a space between them, found no space", merges: ["ab"]),
    Bad(named: "merge 0 \"\"", merges: [""]),
    Bad(named: "merge 0 \"a  b\"", merges: ["a  b"]),
    Bad(named: "merge 0 \"a b c\"", merges: ["a b c"]),
    Bad(named: "merge 0 \"a 中\": expected two entries in the byte alphabet, one space between them, found U+4E2D", merges: ["a 中"]),
    Bad(named: "merge 0 \"xy z\": expected a left side in the vocabulary, found \"xy\"", merges: ["xy z"]),
    Bad(named: "merge 0 \"x yz\": expected a right side in the vocabulary, found \"yz\"", merges: ["x yz"]),
    Bad(named: "merge 0 \"x y\": expected a result in the vocabulary, found \"xy\"", merges: ["x y"]),
    Bad(named: "merge 0 \" \": expected a left side", merges: [" "]),
    Bad(named: "merge 1 \"a b\": expected each pair once", vocabulary: byteVocabulary(["ab"]), merges: ["a b", "a b"]),
    Bad(named: "expected two entries, found 10000001 bytes", merges: ["a" + String(repeating: "b", count: 10_000_000)]),
    Bad(
      named: "added token: expected an id from 0 to 255, found 256",
      configuration: .init(preTokenizer: .gpt2, roles: .init(addedTokens: [256]))),
    Bad(
      named: "added token: expected an id from 0 to 255, found -1",
      configuration: .init(preTokenizer: .gpt2, roles: .init(addedTokens: [-1]))),
    Bad(
      named: "vocabulary entry 256: expected 1 to 256 bytes, found 257",
      vocabulary: byteVocabulary([String(repeating: "a", count: 257)]),
      configuration: .init(preTokenizer: .gpt2, roles: .init(addedTokens: [256]))),
    Bad(named: "added token 3: expected each id once", configuration: .init(preTokenizer: .gpt2, roles: .init(addedTokens: [3, 3]))),
    Bad(
      named: "special token 3: expected one of the added tokens",
      configuration: .init(preTokenizer: .gpt2, roles: .init(specialTokens: [3]))),
    Bad(
      named: "beginning of sequence: expected an id from", configuration: .init(preTokenizer: .gpt2, roles: .init(beginningOfSequence: 999))
    ),
    Bad(named: "end of sequence: expected an id from", configuration: .init(preTokenizer: .gpt2, roles: .init(endOfSequence: .min))),
    Bad(
      named: "beginning of sequence: expected an id to add",
      configuration: .init(preTokenizer: .gpt2, roles: .init(addsBeginningOfSequence: true))),
    Bad(named: "end of sequence: expected an id to add", configuration: .init(preTokenizer: .gpt2, roles: .init(addsEndOfSequence: true))),
  ]

  @Test(arguments: bad)
  func refuses(bad: Bad) {
    let error = #expect(throws: RallyError.self) {
      try BytePairTokenizer(vocabulary: bad.vocabulary, merges: bad.merges, configuration: bad.configuration)
    }
    #expect(error?.code == .invalidTokenizer)
    #expect(error?.message.contains(bad.named) == true, "\(error?.message ?? "")")
    #expect((error?.message.utf8.count ?? 0) < 400)
  }

  /// Files made of plausible parts at random: each is refused, or works.
  @Test(arguments: UInt64(1)...40)
  func survivesAnyFile(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    let parts = ["a", "b", "Ġ", "ab", "Ġa", "é", "中", " ", "<", "<s>", "", "\u{301}", "Ā", "aa"]
    var accepted = 0
    for _ in 0..<200 {
      // Now and then an entry stands twice.
      let entries = Array((parts + ["a"]).shuffled(using: &generator).prefix(Int.random(in: 0...8, using: &generator)))
      let merges = (0..<Int.random(in: 0...2, using: &generator)).map { _ in
        (0..<2).compactMap { _ in parts.randomElement(using: &generator) }.joined(separator: " ")
      }
      let ids = (0..<Int.random(in: 0...2, using: &generator)).map { _ in Int32.random(in: -1...6, using: &generator) }
      let configuration = TokenizerConfiguration(
        preTokenizer: Bool.random(using: &generator) ? .gpt2 : .smollm,
        roles: TokenRoles(
          addedTokens: ids, specialTokens: Bool.random(using: &generator) ? ids : [], endOfSequence: ids.first))
      let made = Result { () throws(RallyError) in
        try BytePairTokenizer(vocabulary: entries, merges: merges, configuration: configuration)
      }
      switch made {
      case .failure(let error): #expect(error.code == .invalidTokenizer)
      case .success(let tokenizer):
        accepted += 1
        let text = Array(parts.joined().utf8)
        #expect(try tokenizer.decode(tokenizer.encode(text)).count <= text.count)
        #expect(tokenizer.vocabulary == entries)
        #expect(tokenizer.merges == merges)
      }
    }
    #expect(accepted > 0)
  }

  @Test func refusesTokensOutsideTheVocabulary() throws {
    let tokenizer = try Fixtures.tokenizer(.gpt2)
    for id in [-1, Int32.min, Int32.max, Int32(tokenizer.tokenCount)] {
      #expect(throws: RallyError.self) { try tokenizer.tokenBytes(id) }
      let error = #expect(throws: RallyError.self) { try tokenizer.decode([0, id]) }
      #expect(error?.code == .invalidToken)
      #expect(error?.subject == "token 1")
      #expect(!tokenizer.isSpecial(id))
    }
  }

  @Test func refusesToAddWhatIsNotThere() throws {
    let tokenizer = try Fixtures.tokenizer(.gpt2)
    for options in [EncodingOptions(addsBeginningOfSequence: true), EncodingOptions(addsEndOfSequence: true)] {
      let error = #expect(throws: RallyError.self) { try tokenizer.encode("a", options: options) }
      #expect(error?.code == .invalidArgument)
    }
  }

  @Test func addsAndSkipsSpecialTokens() throws {
    let tokenizer = try BytePairTokenizer(
      vocabulary: byteVocabulary(["<s>", "</s>", "é"]), merges: [],
      configuration: TokenizerConfiguration(
        preTokenizer: .gpt2,
        roles: TokenRoles(
          addedTokens: [256, 257, 258], specialTokens: [256, 257],
          beginningOfSequence: 256, endOfSequence: 257, addsBeginningOfSequence: true, addsEndOfSequence: true)))
    #expect(try tokenizer.encode("") == [256, 257])
    #expect(try tokenizer.encode("", options: EncodingOptions(addsBeginningOfSequence: false)) == [257])
    #expect(try tokenizer.encode("", options: EncodingOptions(addsEndOfSequence: false)) == [256])
    let tokens = try tokenizer.encode("aé</s>b")
    #expect(tokens == [256, 97, 258, 257, 98, 257])
    #expect(try tokenizer.decode(tokens) == Array("<s>aé</s>b</s>".utf8))
    #expect(try tokenizer.decode(tokens, skipsSpecialTokens: true) == Array("aéb".utf8))
    #expect(tokenizer.isSpecial(256))
    #expect(!tokenizer.isSpecial(258))
    // The entry of byte E9 and the added token are spelled alike; each is found by its bytes.
    #expect(tokenizer.id(of: [0xE9]) == 233)
    #expect(tokenizer.id(of: Array("é".utf8)) == 258)
    #expect(try tokenizer.tokenBytes(32) == [32])
    #expect(tokenizer.id(of: [1, 2, 3]) == nil)
    #expect(tokenizer.id(of: []) == nil)
  }
}
