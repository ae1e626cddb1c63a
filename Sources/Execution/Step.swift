import Models
import Tensors

/// Tokens that enter the model together: for each sequence the next few of its tokens.
package struct Step {
  /// One sequence's part.
  struct Part {
    /// The caller's number for it.
    var key: Int
    var cache: SequenceCache
    var tokens: Range<Int>
    var policy: DepthPolicy
  }

  /// Ids of all tokens, [N].
  private(set) var tokens: [Int32] = []
  private(set) var parts: [Part] = []

  package init(capacity: Int = 0) {
    tokens.reserveCapacity(capacity)
    parts.reserveCapacity(capacity)
  }

  package var tokenCount: Int { tokens.count }
  package var isEmpty: Bool { tokens.isEmpty }

  package mutating func removeAll() {
    tokens.removeAll(keepingCapacity: true)
    parts.removeAll(keepingCapacity: true)
  }

  /// Appends the next `newTokens` of `cache`'s sequence, whose blocks are reserved. A sequence has one part in the model
  /// at a time.
  package mutating func append(
    _ newTokens: ArraySlice<Int32>, of cache: SequenceCache, key: Int, policy: DepthPolicy
  ) {
    let start = tokens.count
    tokens.append(contentsOf: newTokens)
    parts.append(Part(key: key, cache: cache, tokens: start..<tokens.count, policy: policy))
  }
}
