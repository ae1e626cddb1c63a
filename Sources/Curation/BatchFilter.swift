public import Files
import Glibc

/// Which of the scored points stay: removal of the worst, and weights. Source: DataRater (arXiv 2505.17895).
public enum BatchFilter {
  /// How many points to draw so that `keepCount` are left when the share `discard` of them is removed:
  /// B = ⌈N / (1 − ρ)⌉.
  ///
  /// Exact for the shortest decimal number that `discard` is the nearest double of, which is what the caller wrote: 1
  /// kept at 0.9 are 10 drawn, where arithmetic on doubles gives 11. [ours]
  ///
  /// - Parameters:
  ///   - keepCount: N, 0 or more.
  ///   - discard: ρ, in [0, 1).
  /// - Throws: `invalidArgument`; `limitExceeded` where B is beyond 63 bits.
  public static func drawCount(keeping keepCount: Int, discarding discard: Double) throws(RallyError) -> Int {
    try check(keepCount, "keep", in: 0...Int.max)
    let share = try DecimalShare(discard, "discard")
    // B − N = ⌈N ρ / (1 − ρ)⌉
    guard let count = Int(exactly: share.extra(for: keepCount) + Int128(keepCount)) else {
      throw RallyError(
        .limitExceeded, "discard", expected: "a share for which at most \(Int.max) points are drawn",
        found: "\(discard) with \(keepCount) kept")
    }
    return count
  }

  /// How many of `count` points the share `keep` is: ⌊count · keep⌋, exact in decimal, and at least one of any.
  /// - Parameters:
  ///   - count: of the points, 0 or more.
  ///   - keep: in (0, 1].
  /// - Throws: `invalidArgument`.
  public static func keepCount(of count: Int, keeping keep: Double) throws(RallyError) -> Int {
    try check(count, "count", in: 0...Int.max)
    guard keep > 0, keep <= 1 else {
      throw RallyError(.invalidArgument, "keep", expected: "a share in (0, 1]", found: "\(keep)")
    }
    return keep == 1 ? count : max(min(1, count), try DecimalShare(keep, "keep").part(of: count))
  }

  /// The places of the `keepCount` highest scores, ascending. Of equal scores the earlier ones stay. O(n log n).
  ///
  /// - Parameters:
  ///   - scores: [n], infinities included.
  ///   - keepCount: in 0...n.
  /// - Throws: `emptyInput` without scores; `notFinite` for a NaN; `invalidArgument` for another `keepCount`.
  public static func top(_ scores: [Float], keeping keepCount: Int) throws(RallyError) -> [Int] {
    try checkScores(scores)
    try check(keepCount, "keep", in: 0...scores.count)
    guard keepCount > 0 else { return [] }
    let threshold = scores.sorted(by: >)[keepCount - 1]
    var tieCount = keepCount - scores.count { $0 > threshold }
    var kept: [Int] = []
    kept.reserveCapacity(keepCount)
    for (index, score) in scores.enumerated() {
      if score > threshold {
        kept.append(index)
      } else if score == threshold, tieCount > 0 {
        kept.append(index)
        tieCount -= 1
      }
    }
    return kept
  }

  /// The softmax of the scores: [n], each in [0, 1]; they sum to 1 within rounding. Computed in f64.
  ///
  /// - Parameter scores: [n], finite.
  /// - Throws: `emptyInput` without scores; `notFinite`.
  public static func softmaxWeights(_ scores: [Float]) throws(RallyError) -> [Float] {
    try checkScores(scores)
    if let place = scores.firstIndex(where: { !$0.isFinite }) {
      throw RallyError(.notFinite, "scores", expected: "finite numbers", found: "\(scores[place]) at place \(place)")
    }
    let greatest = Double(scores.max() ?? 0)
    let powers = scores.map { exp(Double($0) - greatest) }
    let sum = powers.reduce(0, +)
    return powers.map { Float($0 / sum) }
  }

  /// What rating costs as a share of the training that it is for: P_r / (3 P_m (1 − ρ)).
  ///
  /// The rater reads each of the B points that are drawn once, forward, at 2 P_r operations a token; the model is trained
  /// on the N that are kept, at 6 P_m. More than ρ / (1 − ρ), what training on the others would take, cannot be saved.
  /// Source: ours.
  ///
  /// - Parameters:
  ///   - raterParameters: P_r, above 0.
  ///   - modelParameters: P_m, above 0.
  ///   - discard: ρ, in [0, 1).
  /// - Throws: `invalidArgument`.
  public static func ratingCost(
    raterParameters: Double, modelParameters: Double, discarding discard: Double
  ) throws(RallyError) -> Double {
    for (value, name) in [(raterParameters, "rater_parameters"), (modelParameters, "model_parameters")] {
      guard value > 0, value.isFinite else {
        throw RallyError(.invalidArgument, name, expected: "a number above 0", found: "\(value)")
      }
    }
    _ = try DecimalShare(discard, "discard")
    return raterParameters / (3 * modelParameters * (1 - discard))
  }
}

// MARK: Checks

/// - Throws: `emptyInput` without scores, `notFinite` for a NaN.
func checkScores(_ scores: [Float]) throws(RallyError) {
  guard !scores.isEmpty else {
    throw RallyError(.emptyInput, "scores", expected: "at least one", found: "none")
  }
  if let place = scores.firstIndex(where: \.isNaN) {
    throw RallyError(
      .notFinite, "scores", expected: "numbers", found: "a NaN at place \(place)",
      remedy: "leave the point out; a NaN has no rank")
  }
}

func check(_ count: Int, _ name: String, in range: ClosedRange<Int>) throws(RallyError) {
  guard range.contains(count) else {
    throw RallyError(
      .invalidArgument, name, expected: "\(range.lowerBound) to \(range.upperBound)", found: "\(count)")
  }
}
