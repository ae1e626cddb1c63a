/// Merges a long word: its tokens as a linked list, its pairs in a binary heap.
///
/// O(n log n) time; 8 bytes of links and at most 16 bytes of heap per byte of the word.
struct MergeQueue {
  // By position; a token that was merged into its left neighbour is −1.
  private var next: [Int32] = []
  private var previous: [Int32] = []
  // Rank in the upper half, position of the left token in the lower: the order in which pairs merge.
  private var heap: [UInt64] = []

  /// Replaces `tokens`, at most `Int32.max` of them, by what they merge to.
  mutating func merge(_ tokens: inout [Int32], rules: MergeRules) {
    start(tokens, rules: rules)
    while let entry = popLowest() {
      let position = Int(entry & 0xFFFF_FFFF)
      let rank = UInt32(entry >> 32)
      // An entry is stale once either of its tokens has changed: then the pair has another rank.
      guard tokens[position] >= 0, next[position] < tokens.count,
        rules.pairs.number(tokens[position], tokens[Int(next[position])]) == rank
      else { continue }
      join(position, into: rules.merges[Int(rank)].result, &tokens)
      if previous[position] >= 0 { push(Int(previous[position]), tokens, rules) }
      push(position, tokens, rules)
    }
    tokens.removeAll { $0 < 0 }
  }

  private mutating func start(_ tokens: [Int32], rules: MergeRules) {
    next.removeAll(keepingCapacity: true)
    previous.removeAll(keepingCapacity: true)
    heap.removeAll(keepingCapacity: true)
    for position in tokens.indices {
      next.append(Int32(position) + 1)
      previous.append(Int32(position) - 1)
    }
    for position in tokens.indices.dropLast() {
      let rank = rules.pairs.number(tokens[position], tokens[position + 1])
      if rank != PairTable.none { heap.append(UInt64(rank) << 32 | UInt64(position)) }
    }
    for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(index) }
  }

  private mutating func join(_ position: Int, into result: Int32, _ tokens: inout [Int32]) {
    let right = Int(next[position])
    tokens[position] = result
    tokens[right] = -1
    next[position] = next[right]
    if Int(next[right]) < tokens.count { previous[Int(next[right])] = Int32(position) }
  }

  /// Queues the pair whose left token is at `position`, if it merges.
  private mutating func push(_ position: Int, _ tokens: [Int32], _ rules: MergeRules) {
    guard next[position] < tokens.count else { return }
    let rank = rules.pairs.number(tokens[position], tokens[Int(next[position])])
    guard rank != PairTable.none else { return }
    heap.append(UInt64(rank) << 32 | UInt64(position))
    var index = heap.count - 1
    while index > 0, heap[index] < heap[(index - 1) / 2] {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private mutating func popLowest() -> UInt64? {
    guard let lowest = heap.first, let last = heap.popLast() else { return nil }
    if !heap.isEmpty {
      heap[0] = last
      sink(0)
    }
    return lowest
  }

  private mutating func sink(_ start: Int) {
    var index = start
    while true {
      var child = 2 * index + 1
      guard child < heap.count else { return }
      if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
      guard heap[child] < heap[index] else { return }
      heap.swapAt(index, child)
      index = child
    }
  }
}
