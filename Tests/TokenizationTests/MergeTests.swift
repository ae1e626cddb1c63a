import Testing

@testable import Tokenization

/// The two ways to merge a word, and texts made to take them long.
struct MergeTests {
  /// The rule as the paper states it: while a pair has a rank, join the first of the lowest.
  private func naive(_ word: [UInt8], _ rules: MergeRules) -> [Int32] {
    var tokens = word.map { rules.byteTokens[Int($0)] }
    while true {
      let ranks = tokens.indices.dropLast().map { rules.pairs.number(tokens[$0], tokens[$0 + 1]) }
      guard let lowest = ranks.min(), lowest != PairTable.none, let place = ranks.firstIndex(of: lowest) else {
        return tokens
      }
      tokens.replaceSubrange(place...place + 1, with: [rules.merges[Int(lowest)].result])
    }
  }

  @Test(arguments: [0, 1, 2, 3, 15, 30, 31, 32, 33, 63, 64, 65, 66, 127, 300])
  func mergesByRank(byteCount: Int) throws {
    let tokenizer = try Fixtures.tokenizer(.gpt2)
    var generator = SeededGenerator(state: UInt64(byteCount))
    var encoder = WordEncoder()
    for alphabet in ["ab", "the ", "aeiounrst", "абвго"] {
      let letters = Array(alphabet.utf8)
      for _ in 0..<20 {
        let word = (0..<byteCount).map { _ in letters.randomElement(using: &generator) ?? 0 }
        for _ in 0..<2 {  // The second time from the cache.
          var tokens: [Int32] = [7]
          encoder.append(word.span, rules: tokenizer.rules, to: &tokens)
          #expect(tokens == [7] + naive(word, tokenizer.rules))
        }
      }
    }
  }

  /// A step that is quadratic in the text would take minutes.
  @Test(arguments: ["a", "ab", "=", " ", "\n", "é", "中", "'", "'s", "<", "<|im_start|", "7", "<tool>>", "\u{A0}"])
  func takesBoundedTime(pattern: String) throws {
    let text = Array(String(repeating: pattern, count: 60_000 / pattern.utf8.count).utf8)
    for kind in TokenizerConfiguration.PreTokenizer.allCases {
      let tokenizer = try Fixtures.tokenizer(kind)
      let (decoded, seconds) = try timed { try tokenizer.decode(tokenizer.encode(text)) }
      #expect(decoded == text && seconds < 60)
    }
  }

  /// Merges that collide in many hashes, and an added token that nearly matches everywhere.
  @Test func takesBoundedTimeForHostileFiles() throws {
    let doubled = (1...9).map { String(repeating: "a", count: 1 << $0) }
    let vocabulary = byteVocabulary(doubled) + [String(repeating: "<", count: 255) + "x"]
    let tokenizer = try BytePairTokenizer(
      vocabulary: vocabulary,
      merges: (0..<9).map { "\(String(repeating: "a", count: 1 << $0)) \(String(repeating: "a", count: 1 << $0))" },
      configuration: TokenizerConfiguration(
        preTokenizer: .gpt2, roles: TokenRoles(addedTokens: [Int32(vocabulary.count - 1)])))
    let text = String(repeating: "a", count: 60_001) + String(repeating: "<", count: 20_000)
    let (decoded, seconds) = try timed { try tokenizer.decode(tokenizer.encode(text)) }
    #expect(decoded == Array(text.utf8) && seconds < 60)
  }

  @Test func sharesOneTokenizerBetweenTasks() async throws {
    let tokenizer = try Fixtures.tokenizer(.smollm)
    let cases = try Fixtures.cases(.smollm).filter { $0.findsSpecialTokens }
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask { try cases.allSatisfy { try tokenizer.encode($0.text) == $0.tokens } }
      }
      for try await agrees in group { #expect(agrees) }
    }
  }
}
