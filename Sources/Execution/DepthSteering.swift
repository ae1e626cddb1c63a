/// Steers the mean depth of one sequence towards a target, by moving the score that its router asks for.
///
/// The text is cut into windows of 64 tokens, counted from its beginning. Within a window the threshold is fixed; behind
/// each, the deviations of all windows so far decide the next one's:
///
///     threshold = gain · ((natural − target) + Σ over windows (mean depth − target))
///
/// natural is the mean depth that the capacities stand for. So the threshold depends on the sequence's own tokens alone,
/// and as it is bounded, the mean depth of a long text tends to the target wherever the router can reach it. [ours]
package struct DepthSteering: Sendable {
  /// Tokens of a window: one tile of the matrix product, so that prompts in windows run at full speed.
  package static let window = 64
  /// Scores are nearly binary and a few units apart, so a bound of this size is as good as none.
  private static let bound: Float = 40

  private let target: Float
  private let natural: Float
  private let gain: Float
  private var deviation: Float
  private var windowSum: Float = 0
  /// Tokens seen.
  package private(set) var count = 0

  /// - Parameters:
  ///   - target: the mean depth that is wanted, in [1, R].
  ///   - natural: the mean depth without steering.
  ///   - gain: in units of the router's score.
  package init(target: Float, natural: Float, gain: Float) {
    self.target = target
    self.natural = natural
    self.gain = gain
    deviation = natural - target
  }

  /// What a token's score must reach beyond the router's own threshold.
  package var threshold: Float { gain * deviation }

  /// Takes in the depth of the next token.
  package mutating func observe(_ depth: Int32) {
    windowSum += Float(depth)
    count += 1
    guard count % Self.window == 0 else { return }
    let limit = Self.bound / gain
    deviation = min(max(deviation + windowSum / Float(Self.window) - target, -limit), limit)
    windowSum = 0
  }
}
