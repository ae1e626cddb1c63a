import Tensors

/// How an expert-choice model selects the tokens that go on.
public enum Selection: Sendable {
  /// The router's own threshold: causal, what generation does.
  case threshold
  /// The capacity's best of the whole row: not causal, what training did.
  case topK
}

/// Tokens that run through the model together: for each sequence the next few of its tokens.
package struct Step {
  /// Ids of all tokens, [N].
  private(set) var tokens: [Int32] = []
  var rows = RowSet()
  private(set) var caches: [SequenceCache] = []
  package var selection = Selection.threshold
  /// Recursions a token may run, at least 1.
  package var maximumDepth: [Int32] = []

  package init(capacity: Int = 0) {
    tokens.reserveCapacity(capacity)
    rows.reserveCapacity(capacity)
  }

  package var tokenCount: Int { tokens.count }
  package var isEmpty: Bool { tokens.isEmpty }

  package mutating func removeAll() {
    tokens.removeAll(keepingCapacity: true)
    rows.removeAll()
    caches.removeAll(keepingCapacity: true)
    maximumDepth.removeAll(keepingCapacity: true)
  }

  /// Appends the next `newTokens` of `cache`'s sequence. A cache takes part once in a step.
  package mutating func append(
    _ newTokens: some Collection<Int32>, of cache: SequenceCache, maximumDepth depth: Int32
  ) {
    let sequence = Int32(caches.count)
    var position = Int32(cache.tokenCount)
    for token in newTokens {
      tokens.append(token)
      rows.append(position: position, sequence: sequence)
      maximumDepth.append(depth)
      position += 1
    }
    caches.append(cache)
  }
}
