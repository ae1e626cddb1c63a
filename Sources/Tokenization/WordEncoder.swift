/// Turns one word into tokens: byte tokens, merged pair by pair.
///
/// Scratch memory and a cache of words; it belongs to one tokenizer and one call at a time.
struct WordEncoder {
  var cache = WordCache()
  var merger = WordMerger()

  /// Appends the tokens of `word`. Bytes without a token are left out, and their neighbours may merge.
  ///
  /// O(n log n) in the word's bytes.
  mutating func append(_ word: Span<UInt8>, rules: MergeRules, to output: inout [Int32]) {
    Self.append(word, rules, &cache, &merger, to: &output)
  }

  private static func append(
    _ word: Span<UInt8>, _ rules: MergeRules, _ cache: inout WordCache, _ merger: inout WordMerger, to output: inout [Int32]
  ) {
    cache.append(word, to: &output) { output in
      merger.merge(with: rules, into: &output) { tokens in
        for index in 0..<word.count {
          let token = rules.byteTokens[Int(word[index])]
          if token >= 0 { tokens.append(token) }
        }
      }
    }
  }

  /// Gives back memory that a very long word took.
  mutating func trim() { merger.trim() }
}
