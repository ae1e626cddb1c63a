/// Makes tokens that occurred less likely.
public struct Penalties: Sendable, Equatable {
  /// Divides the positive logits of tokens of the prompt and the text, and multiplies the negative ones; 1 does nothing.
  public var repetition: Float = 1
  /// Subtracted from the logits of tokens that were generated.
  public var presence: Float = 0
  /// The same for every time that they were generated.
  public var frequency: Float = 0

  public init() {}

  var isActive: Bool { repetition != 1 || presence != 0 || frequency != 0 }
}
