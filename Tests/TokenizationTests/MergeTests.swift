import Testing

@testable import Tokenization

/// The two ways to merge a word, and texts made to take them long.
struct MergeTests {
  /// The rule as the paper states it: while a pair has a rank, join the first of the lowest.
  private func naive(_ word: [UInt8], _ rules: MergeRules) -> [Int32] {
    naive(word.map { rules.byteTokens[Int($0)] }, rules)
  }

  private func naive(_ symbols: [Int32], _ rules: MergeRules) -> [Int32] {
    var tokens = symbols
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

  /// Merges of random tokens, of which some symbols never become neighbours: each part of a long word is merged by itself.
  @Test(arguments: 0..<60)
  func mergesPartsByRank(seed: UInt64) {
    var generator = SeededGenerator(state: seed)
    // The last symbol is also made by merges.
    var texts = ["a", "b", "c", "d", "e", "f", "ab"]
    let symbolCount = Int32(texts.count)
    var merges: [MergeRules.Merge] = []
    for _ in 0..<Int.random(in: 1...14, using: &generator) {
      let left = Int.random(in: 0..<texts.count, using: &generator)
      let right = Int.random(in: 0..<texts.count, using: &generator)
      guard !merges.contains(where: { $0.left == left && $0.right == right }) else { continue }
      let text = texts[left] + texts[right]
      if !texts.contains(text) { texts.append(text) }
      merges.append(MergeRules.Merge(left: Int32(left), right: Int32(right), result: Int32(texts.firstIndex(of: text) ?? 0)))
    }
    var rules = MergeRules(byteTokens: [], merges: merges)
    rules.findNeighbours(symbols: [symbolCount - 1])
    var merger = WordMerger()
    for count in [0, 1, 2, 63, 64, 65, 66, 200, 700] {
      let symbols = (0..<count).map { _ in Int32.random(in: 0..<symbolCount, using: &generator) }
      var tokens: [Int32] = [7]
      merger.merge(with: rules, into: &tokens) { $0 += symbols }
      #expect(tokens == [7] + naive(symbols, rules), "seed \(seed)")
    }
  }

  /// Neighbours are known where merges make each token of the same symbols, and only there.
  @Test func knowsNeighbours() {
    func neighbours(_ merges: [(Int32, Int32, Int32)], symbols: Set<Int32> = []) -> PairTable? {
      var rules = MergeRules(byteTokens: [], merges: merges.map { MergeRules.Merge(left: $0.0, right: $0.1, result: $0.2) })
      rules.findNeighbours(symbols: symbols)
      return rules.neighbours
    }
    let found = neighbours([(0, 1, 4), (4, 2, 5)])
    #expect(found?.number(0, 1) == 0 && found?.number(1, 2) == 0 && found?.number(2, 0) == PairTable.none)
    #expect(neighbours([(0, 1, 4), (2, 3, 4)]) == nil, "made of other symbols")
    #expect(neighbours([(4, 2, 5), (0, 1, 4)]) == nil, "used before it is made")
    #expect(neighbours([(0, 1, 4), (4, 2, 5)], symbols: [4]) == nil, "a symbol that merges make and use")
    #expect(neighbours([(0, 1, 4)], symbols: [4]) != nil)
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
