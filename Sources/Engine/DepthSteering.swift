import Glibc

/// Steers the mean depth of one sequence towards a target, by moving the score that its router asks for.
///
/// The text is cut into windows of 64 tokens, counted from its beginning. Within a window the threshold is fixed; after
/// each, the deviations of all windows so far decide the next one's:
///
///     threshold = scale · (6 · (logit φ(natural) − logit φ(target)) + 16 · Σ over windows (mean depth − target))
///
/// natural is the mean depth that the capacities stand for and φ(d) = (d − 1) / (R − 1), the share of the possible further
/// recursions that d stands for: were scores logistic with a spread of 6, the first term alone would hit the target. Targets
/// of 1 and R are met exactly, by a bound beyond all scores. The threshold depends on the sequence's own tokens alone, and as
/// it is bounded, the mean depth of a long text tends to the target wherever the router can reach it. 6 and 16 were chosen
/// on rally-tiny, whose rows of 512 come within 1 % of every target. [ours]
package struct DepthSteering: Sendable {
  /// Tokens of a window: one tile of the matrix product, so that prompts in windows run at full speed.
  package static let window = 64
  private static let spread: Float = 6
  private static let gain: Float = 16
  /// Scores are nearly binary and a few units apart, so a bound of this size is as good as none.
  private static let bound: Float = 40

  private let target: Float
  private let scale: Float
  private var unscaled: Float
  private var windowSum: Float = 0
  private var windowCount: Float = 0
  /// Tokens seen.
  package private(set) var count = 0

  /// - Parameters:
  ///   - target: the mean depth that is wanted, in [1, R].
  ///   - natural: the mean depth without steering; taken into [1, R].
  ///   - recursionCount: R.
  ///   - scale: of the router's scores: 1 for logits.
  package init(target: Float, natural: Float, recursionCount: Int, scale: Float = 1) {
    self.target = target
    self.scale = scale
    let deepest = Float(recursionCount)
    func logit(_ depth: Float) -> Float { log((depth - 1) / (deepest - depth)) }
    let start = min(max(natural, 1), deepest)
    // Both infinite, or undefined, where start and target are the same end.
    let forward = start == target ? 0 : Self.spread * (logit(start) - logit(target))
    unscaled = min(max(forward, -Self.bound), Self.bound)
  }

  /// What a token's score must reach beyond the router's own threshold.
  package var threshold: Float { scale * unscaled }

  /// 1 or −1 where the bound was reached: no token goes on, or all do, whatever their scores.
  package var end: Int? { abs(unscaled) < Self.bound ? nil : unscaled > 0 ? 1 : -1 }

  /// Takes in the depth of the next token.
  /// - Parameter counts: false for a token whose depth was not the model's to choose.
  package mutating func observe(_ depth: Int32, counts: Bool = true) {
    if counts {
      windowSum += Float(depth)
      windowCount += 1
    }
    count += 1
    guard count % Self.window == 0 else { return }
    let deviation = windowSum / Float(Self.window) - target * (windowCount / Float(Self.window))
    unscaled = min(max(unscaled + Self.gain * deviation, -Self.bound), Self.bound)
    (windowSum, windowCount) = (0, 0)
  }
}
