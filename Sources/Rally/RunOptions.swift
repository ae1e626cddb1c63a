public import Engine
public import Execution
import Models

/// What `Runner.run` does besides the rows themselves.
public struct RunOptions: Sendable {
  /// How an expert-choice model selects the tokens that go on.
  public var selection = Selection.threshold
  /// Recursions that a token may run; nil for the model's own number.
  public var maximumDepth: Int?
  /// Mean depth that the router is steered to, in [1, R]; nil for what it does by itself. Threshold selection only.
  ///
  /// Each row is steered by itself: after every 64 of its tokens the score that lets a token go on is moved against the
  /// deviation of all depths so far. A row's result depends on its own tokens alone.
  public var targetDepth: Double?
  /// Of looped models.
  public var exit = ExitOptions()
  /// Tokens of a row before this one run at full depth: one number for all rows, or one for each; empty for 0.
  public var exitFrom: [Int] = []
  /// Seconds after which the call gives up; 0 for never.
  public var timeout = 0.0

  public init() {}
}
