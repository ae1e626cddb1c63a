/// Merges the tokens of one word pair by pair, lowest rank first, leftmost on a tie.
///
/// Scratch memory; it belongs to one call at a time.
struct WordMerger {
  /// Up to here every merge scans all pairs; beyond, a queue finds the next one. Measured on random
  /// words of two scripts, November 2026: both ways are as fast somewhere from 64 to 200 bytes.
  static let scanLimit = 64

  private var tokens: [Int32] = []
  private var ranks: [UInt32] = []  // of each token and the next
  private var part: [Int32] = []
  private var queue = MergeQueue()

  /// Gives back memory that a very long word took.
  mutating func trim() {
    guard tokens.capacity > 1 << 16 else { return }
    self = WordMerger()
  }

  /// Appends what becomes of the tokens that `symbols` appends, one for each symbol of a word.
  mutating func merge(with rules: MergeRules, into output: inout [Int32], _ symbols: (inout [Int32]) -> Void) {
    tokens.removeAll(keepingCapacity: true)
    symbols(&tokens)
    if tokens.count <= Self.scanLimit {
      Self.rank(tokens, by: rules.pairs, into: &ranks)
      Self.scan(&tokens, &ranks, 0..<tokens.count, rules, into: &output)
    } else if let neighbours = rules.neighbours {
      Self.rank(tokens, by: rules.pairs, into: &ranks)
      mergeParts(between: neighbours, rules, into: &output)
    } else {
      queue.merge(&tokens, rules: rules)
      output += tokens
    }
  }

  private static func rank(_ tokens: [Int32], by pairs: PairTable, into ranks: inout [UInt32]) {
    ranks.removeAll(keepingCapacity: true)
    for index in tokens.indices.dropFirst() { ranks.append(pairs.number(tokens[index - 1], tokens[index])) }
  }

  /// Merges each part that no merge crosses the ends of by itself.
  private mutating func mergeParts(between neighbours: PairTable, _ rules: MergeRules, into output: inout [Int32]) {
    var start = 0
    while start < tokens.count {
      var end = start + 1
      // Two that merge are neighbours in what they become.
      while end < tokens.count,
        ranks[end - 1] != PairTable.none || neighbours.number(tokens[end - 1], tokens[end]) != PairTable.none
      {
        end += 1
      }
      if end - start == 1 {
        output.append(tokens[start])
      } else if end - start <= Self.scanLimit {
        Self.scan(&tokens, &ranks, start..<end, rules, into: &output)
      } else {
        part.removeAll(keepingCapacity: true)
        part += tokens[start..<end]
        queue.merge(&part, rules: rules)
        output += part
      }
      start = end
    }
  }

  /// Merges by looking at all ranks each time: O(n²) with the smallest of constants.
  ///
  /// - Parameter range: what is merged, in place; its ranks are those of its tokens.
  private static func scan(
    _ tokens: inout [Int32], _ ranks: inout [UInt32], _ range: Range<Int>, _ rules: MergeRules, into output: inout [Int32]
  ) {
    var tokens = tokens.mutableSpan
    var ranks = ranks.mutableSpan
    var end = range.upperBound
    while end > range.lowerBound, let place = lowest(ranks, range.lowerBound..<end - 1) {
      tokens[place] = rules.merges[Int(ranks[place])].result
      end -= 1
      for index in place + 1..<end { tokens[index] = tokens[index + 1] }
      for index in place..<end - 1 { ranks[index] = ranks[index + 1] }
      if place > range.lowerBound { ranks[place - 1] = rules.pairs.number(tokens[place - 1], tokens[place]) }
      if place < end - 1 { ranks[place] = rules.pairs.number(tokens[place], tokens[place + 1]) }
    }
    for index in range.lowerBound..<end { output.append(tokens[index]) }
  }

  /// The place of the lowest of some ranks, nil where no pair merges.
  @inline(__always)
  private static func lowest(_ ranks: borrowing MutableSpan<UInt32>, _ range: Range<Int>) -> Int? {
    var lowest = PairTable.none
    var place = -1
    for index in range where ranks[index] < lowest {
      lowest = ranks[index]
      place = index
    }
    return place < 0 ? nil : place
  }
}
