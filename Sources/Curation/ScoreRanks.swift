public import Files

/// What a distribution answers, ready to be looked up.
public struct ScoreRanks: Sendable {
  /// Ascending, [m].
  private let scores: [Float]
  /// Scores that stand before each place, [m + 1].
  private let weights: [Int]
  private let minimum: Float
  private let maximum: Float

  init(_ distribution: Distribution) {
    var kept: [(score: Float, weight: Int)] = []
    for (level, scores) in distribution.levels.enumerated() { kept += scores.map { ($0, 1 << level) } }
    kept.sort { $0.score < $1.score }
    scores = kept.map(\.score)
    weights = kept.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.weight) }
    minimum = distribution.minimum
    maximum = distribution.maximum
  }

  /// The mid-rank of each score: (scores below it + half of those equal to it) / all, in [0, 1]. O(log m) each.
  ///
  /// The halves keep ties and the extremes from collapsing: the mean over the scores themselves is one half.
  /// - Throws: `notFinite` for a NaN.
  public func cdf(_ values: [Float]) throws(RallyError) -> [Double] {
    if let place = values.firstIndex(where: \.isNaN) {
      throw RallyError(.notFinite, "scores", expected: "numbers", found: "a NaN at place \(place)")
    }
    let twice = 2 * weights[scores.count]
    return values.map { value in
      let found = weights[place { $0 < value }] + weights[place { $0 <= value }]
      // The extremes may have made way for a neighbour; what is known of them holds all the same.
      let known = (value < minimum ? 0 : 1)...(value > maximum ? twice : twice - 1)
      return Double(min(max(found, known.lowerBound), known.upperBound)) / Double(twice)
    }
  }

  /// The lowest score that the share p of all scores does not exceed: the minimum at 0, the maximum at 1.
  /// - Parameter shares: in [0, 1].
  /// - Throws: `invalidArgument`, for a NaN too.
  public func quantiles(_ shares: [Double]) throws(RallyError) -> [Float] {
    try checkShares(shares, "p")
    let all = weights[scores.count]
    return shares.map { share in
      if share == 0 { return minimum }
      if share == 1 { return maximum }
      // weights[i + 1] ≥ share · all for the first such i.
      let wanted = share * Double(all)
      var (low, high) = (0, scores.count - 1)
      while low < high {
        let middle = (low + high) / 2
        if Double(weights[middle + 1]) >= wanted { high = middle } else { low = middle + 1 }
      }
      return scores[low]
    }
  }

  /// How many of the ascending scores satisfy a condition that the first of them do.
  private func place(_ isBefore: (Float) -> Bool) -> Int {
    var (low, high) = (0, scores.count)
    while low < high {
      let middle = (low + high) / 2
      if isBefore(scores[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension Distribution {
  /// The kept scores in order, to be asked many times. O(m log m) for m kept scores.
  /// - Throws: `emptyInput` while there are none.
  public func ranks() throws(RallyError) -> ScoreRanks {
    guard count > 0 else {
      throw RallyError(
        .emptyInput, "distribution", expected: "at least one score", found: "none", remedy: "add scores first")
    }
    return ScoreRanks(self)
  }
}
