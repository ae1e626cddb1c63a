import Models

/// How an expert-choice model selects the tokens that go on.
public enum Selection: Sendable {
  /// The router's own threshold: causal, what generation does.
  case threshold
  /// The capacity's best of the whole row: not causal, what training did.
  case topK
}
