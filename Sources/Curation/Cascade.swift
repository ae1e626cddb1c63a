public import Files

/// Two raters for one cut at a share: a cheap one decides what is clear, an expensive one reads the band around the cut.
///
/// Of n points the n (1 − ρ) with the highest score of both stay. Let D be the share of points that the expensive rater alone
/// would keep and the cheap one dropped, K that of points the other way round. Since equally many stay, the two selections
/// differ in 2 max(D, K) of all points: the band is there to keep both small. [ours]
public struct Cascade: Sendable, Equatable {
  /// Points that the cheap rater scores below are dropped unread; −∞: none.
  public var lower: Float
  /// Points that it scores at least so stay; ∞: none.
  public var upper: Float
  /// The expensive rater's score at the cut, in the sample.
  public var middle: Float
  /// The range of the middle half of its scores there.
  public var spread: Float
  /// Of the decisions, at least, with `confidence`.
  public var agreement = 1.0
  /// The same as the points of the sample have it that only check.
  public var observed = 1.0
  /// Share of those in the band.
  public var bandShare = 1.0
  public var discard = 0.5
  public var confidence = 0.95
  public var sampleCount = 0

  public init(lower: Float, upper: Float, middle: Float, spread: Float) {
    (self.lower, self.upper, self.middle, self.spread) = (lower, upper, middle, spread)
  }

  /// Whether the expensive rater has to read a point.
  public func reads(_ cheap: Float) -> Bool { !(cheap < lower || cheap >= upper) }

  /// One score of both: the cheap rater's, and in the band a place between its ends that grows with the expensive one's.
  ///
  /// Only +, −, × and ÷ are used, which are the same everywhere.
  /// - Parameters:
  ///   - cheap: [n], no NaN.
  ///   - expensive: [n], no NaN in the band.
  /// - Throws: `invalidArgument`, `notFinite`.
  public func scores(cheap: [Float], expensive: [Float]) throws(RallyError) -> [Float] {
    try checkValues()
    try Self.checkPair(cheap, expensive)
    let low = lower.isFinite ? Double(lower) : upper.isFinite ? Double(upper) - 1 : 0
    let high = upper.isFinite ? Double(upper) : low + 1
    var scores = cheap
    for (place, score) in cheap.enumerated() {
      guard !score.isNaN else { throw Self.missing("cheap", place) }
      guard reads(score) else { continue }
      guard !expensive[place].isNaN else { throw Self.missing("expensive", place) }
      let found = Float(low + (high - low) * share(expensive[place]))
      scores[place] = min(max(found, Float(low)), Float(high).nextDown)
    }
    return scores
  }

  /// Where in the band a score is, in [0, 1]; one half at the cut.
  private func share(_ score: Float) -> Double {
    guard score.isFinite else { return score > 0 ? 1 : 0 }
    let distance = (Double(score) - Double(middle)) / Double(spread)
    return 0.5 * (1 + distance / (1 + abs(distance)))
  }

  private static func missing(_ name: String, _ place: Int) -> RallyError {
    RallyError(.notFinite, name, expected: "a score of every point that is read", found: "a NaN at place \(place)")
  }

  private func checkValues() throws(RallyError) {
    guard !lower.isNaN, !upper.isNaN, lower <= upper, middle.isFinite, spread > 0, spread.isFinite else {
      throw RallyError(
        .invalidArgument, "cascade", expected: "what choosing a band gives",
        found: "a band from \(lower) to \(upper) around \(middle) ± \(spread)")
    }
  }

  static func checkPair(_ cheap: [Float], _ expensive: [Float]) throws(RallyError) {
    guard cheap.count == expensive.count else {
      throw RallyError(
        .invalidArgument, "expensive", expected: "\(cheap.count) scores, as many as of the cheap rater", found: "\(expensive.count)")
    }
  }
}
