package import Models
import Tensors

/// How an expert-choice model selects the tokens that go on.
public enum Selection: Sendable {
  /// The router's own threshold: causal, what generation does.
  case threshold
  /// The capacity's best of the whole row: not causal, what training did.
  case topK
}

/// How far tokens may go.
package struct DepthPolicy: Sendable {
  package var selection = Selection.threshold
  /// Recursions a token may run, at least 1.
  package var limit: Int32
  /// Added to what a router's score must reach for the token to go on; see `DepthSteering`.
  package var threshold: Float = 0
  /// Of looped models whose tokens may leave before the limit.
  package var exit: ExitPolicy?

  package init(limit: Int32) { self.limit = limit }
}

/// When tokens leave a looped model.
package struct ExitPolicy: Sendable, Equatable {
  /// What the model's rule compares with.
  package var threshold: Float
  /// Recursions that a token runs at least, from 1.
  package var minimum: Int32 = 1
  /// Position of the first token that may leave before the limit.
  package var firstPosition = 0
  package var keyValues: ModelDescription.KeyValuePolicy

  package init(threshold: Float, keyValues: ModelDescription.KeyValuePolicy) {
    self.threshold = threshold
    self.keyValues = keyValues
  }

  /// No state can make the rule let a token leave: it need not be asked.
  func isNever(_ rule: ModelDescription.Exit.Rule) -> Bool {
    switch rule {
    case .hazard: threshold >= 1
    case .latentDifference: threshold <= 0
    }
  }
}

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
