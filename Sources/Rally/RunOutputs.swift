import Engine
import Execution
import Models

/// Where `Runner.run` writes what it computes. N is the number of tokens of all rows.
///
/// The memory belongs to the caller and must hold as many values as stated.
@safe
public struct RunOutputs {
  /// Tokens whose logits and hidden states are wanted; nil for all.
  public var positions: [Int]?
  /// [positions or N, V].
  @unsafe public var logits: UnsafeMutablePointer<Float>?
  /// [positions or N, D], after the final norm.
  @unsafe public var hidden: UnsafeMutablePointer<Float>?
  /// Ids whose log-probability after each token is wanted, −1 for none, [N]; nil for the next token
  /// of the row.
  public var targets: [Int32]?
  /// With targets [N]; without [N − rowCount], T − 1 of each row.
  @unsafe public var logProbabilities: UnsafeMutablePointer<Float>?
  /// Recursions that each token ran, [N].
  @unsafe public var depths: UnsafeMutablePointer<Int32>?

  public init() {}
}
