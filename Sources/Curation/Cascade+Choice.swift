import CStatistics
public import Files

extension Cascade {
  /// Finds the band on a sample that both raters have read, and checks it on points that chose nothing.
  ///
  /// Three quarters of the sample choose: the narrowest band of which the bound of Clopper and Pearson says on each side that at most
  /// half of 1 − `agreement` is wrong. What is wrong is counted for the worst place that the corpus' own cut may have among the
  /// sample's scores. The share that is wrong grows with the end of a band, so the bound holds for the end that is chosen
  /// as for one that is given (risk-controlling prediction sets, arXiv 2101.02703). The last quarter checks.
  ///
  /// - Parameters:
  ///   - cheap: [n] scores of a uniform random sample in the order in which it was drawn; no NaN.
  ///   - expensive: [n] those of the same points by the expensive rater.
  ///   - discard: ρ, in (0, 1).
  ///   - agreement: of the decisions, in [½, 1).
  ///   - confidence: in [½, 1).
  /// - Throws: `emptyInput` for fewer than 4 points; `notFinite`, `invalidArgument`; `mismatch` where the last quarter contradicts.
  public static func choose(
    cheap: [Float], expensive: [Float], discard: Double, agreement: Double = 0.99, confidence: Double = 0.95
  ) throws(RallyError) -> Cascade {
    try checkPair(cheap, expensive)
    for (value, name, least) in [(discard, "discard", 0.0), (agreement, "agreement", 0.5), (confidence, "confidence", 0.5)] {
      guard value >= least, value > 0, value < 1 else {
        throw RallyError(.invalidArgument, name, expected: "a share in \(least == 0 ? "(0" : "[0.5"), 1)", found: "\(value)")
      }
    }
    guard cheap.count >= 4 else {
      throw RallyError(.emptyInput, "sample", expected: "at least 4 points that both raters read", found: "\(cheap.count)")
    }
    try checkScores(cheap)
    try checkScores(expensive)
    // Four things may fail: the place of the cut, from below and from above, and the bound on each side.
    let risk = (1 - confidence) / 4
    let limit = (1 - agreement) / 2
    let count = cheap.count - cheap.count / 4
    let choosing = CascadeSample(cheap[..<count], expensive[..<count], discard: discard, risk: risk)
    let checking = CascadeSample(cheap[count...], expensive[count...], discard: discard, risk: risk)
    var found = around(expensive, discard)
    if let allowed = Binomial.mostAllowed(of: count, limit: limit, risk: risk) {
      (found.lower, found.upper) = choosing.ends(allowing: allowed)
    }
    found.agreement = 1 - 2 * choosing.upperBound(found, risk: risk)
    found.observed = 1 - 2 * checking.wrongShare(found)
    found.bandShare = checking.share(in: found)
    (found.discard, found.confidence, found.sampleCount) = (discard, confidence, cheap.count)
    guard checking.lowerBound(found, risk: risk) <= limit else {
      throw RallyError(
        .mismatch, "sample", expected: "points in random order, of which the last agree as the first do",
        found: "\(found.observed) among the last", remedy: "draw the sample at random")
    }
    return found
  }

  /// Where the expensive rater's scores lie, and no end yet.
  private static func around(_ expensive: [Float], _ discard: Double) -> Cascade {
    let ordered = expensive.sorted()
    func at(_ share: Double) -> Float { ordered[min(Int(share * Double(ordered.count)), ordered.count - 1)] }
    let (middle, range) = (at(discard), at(0.75) - at(0.25))
    return Cascade(
      lower: -.infinity, upper: .infinity, middle: middle.isFinite ? middle : 0, spread: range > 0 && range.isFinite ? range : 1)
  }
}

/// Points that both raters have read, and where the corpus' own cut may lie among them.
private struct CascadeSample {
  private let cheap: ArraySlice<Float>
  private let expensive: ArraySlice<Float>
  /// The sample's own cut; one that the corpus' cut is hardly below, and one that it is hardly above.
  private let cut: Float
  private let lowestCut: Float
  private let highestCut: Float
  /// The cheap scores, ascending, of points that may stay by the expensive rater alone, and of those that it may drop.
  private let staying: [Float]
  private let dropped: [Float]

  /// - Parameter risk: that the corpus' cut lies below the lowest, and that it lies above the highest.
  init(_ cheap: ArraySlice<Float>, _ expensive: ArraySlice<Float>, discard: Double, risk: Double) {
    (self.cheap, self.expensive) = (cheap, expensive)
    let ordered = expensive.sorted()
    let count = ordered.count
    let (low, high) = Binomial.ranks(of: discard, count: count, risk: risk)
    let lowest = low == 0 ? -.infinity : ordered[low - 1]
    let highest = high > count ? .infinity : ordered[high - 1]
    cut = ordered[min(Int(discard * Double(count)), count - 1)]
    (lowestCut, highestCut) = (lowest, highest)
    staying = zip(cheap, expensive).filter { $0.1 >= lowest }.map(\.0).sorted()
    dropped = zip(cheap, expensive).filter { $0.1 <= highest }.map(\.0).sorted()
  }

  /// The ends of the narrowest band with at most `count` points on each side that may be wrong. Where the ends would pass each
  /// other, the cheap rater decides all, and any place between them will do.
  func ends(allowing count: Int) -> (lower: Float, upper: Float) {
    let lower = count < staying.count ? staying[count] : .greatestFiniteMagnitude
    let upper = count < dropped.count ? dropped[dropped.count - 1 - count].nextUp : -.greatestFiniteMagnitude
    guard lower > upper else { return (lower, upper) }
    let place = upper > -.greatestFiniteMagnitude ? upper : lower < .greatestFiniteMagnitude ? lower : 0
    return (place, place)
  }

  /// Of the share that is wrong, at most, on the worse side.
  func upperBound(_ cascade: Cascade, risk: Double) -> Double {
    let wronglyDropped = Self.count(of: staying, below: cascade.lower)
    let wronglyKept = dropped.count - Self.count(of: dropped, below: cascade.upper)
    let bounds = [(wronglyDropped, cascade.lower), (wronglyKept, cascade.upper)].map { count, end in
      end.isFinite ? Binomial.upperBound(count, of: cheap.count, risk: risk) : 0
    }
    return max(bounds[0], bounds[1])
  }

  /// Of the share that is wrong, at least, on the worse side.
  func lowerBound(_ cascade: Cascade, risk: Double) -> Double {
    let dropped = zip(cheap, expensive).count { $0.0 < cascade.lower && $0.1 > highestCut }
    let kept = zip(cheap, expensive).count { $0.0 >= cascade.upper && $0.1 < lowestCut }
    return 1 - Binomial.upperBound(cheap.count - max(dropped, kept), of: cheap.count, risk: risk)
  }

  /// The greater of both shares at the sample's own cut.
  func wrongShare(_ cascade: Cascade) -> Double {
    let dropped = zip(cheap, expensive).count { $0.0 < cascade.lower && $0.1 >= cut }
    let kept = zip(cheap, expensive).count { $0.0 >= cascade.upper && $0.1 < cut }
    return Double(max(dropped, kept)) / Double(cheap.count)
  }

  func share(in cascade: Cascade) -> Double {
    Double(cheap.count { cascade.reads($0) }) / Double(cheap.count)
  }

  private static func count(of ordered: [Float], below value: Float) -> Int {
    var (low, high) = (0, ordered.count)
    while low < high {
      let middle = (low + high) / 2
      if ordered[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// Exact bounds on shares.
private enum Binomial {
  /// The share of which `count` or fewer of `total` are seen with the probability `risk` (Clopper and Pearson): the quantile
  /// 1 − risk of Beta(count + 1, total − count).
  static func upperBound(_ count: Int, of total: Int, risk: Double) -> Double {
    guard count < total else { return 1 }
    var (low, high) = (0.0, 1.0)
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if rs_incomplete_beta(Double(count + 1), Double(total - count), middle) < 1 - risk { low = middle } else { high = middle }
    }
    return high
  }

  /// The most points of `total` that may be wrong, so that the bound is at most `limit`; nil where none may.
  static func mostAllowed(of total: Int, limit: Double, risk: Double) -> Int? {
    var (low, end) = (-1, total)
    while end - low > 1 {
      let middle = (low + end) / 2
      if upperBound(middle, of: total, risk: risk) <= limit { low = middle } else { end = middle }
    }
    return low < 0 ? nil : low
  }

  /// Ranks from 1 on of a sample between which the quantile `share` of the whole lies: the greatest that is above it with at most
  /// the probability `risk` (0: there is none), and the smallest that is below it with at most that (`count` + 1: none).
  static func ranks(of share: Double, count: Int, risk: Double) -> (low: Int, high: Int) {
    // At least k of `count` points lie below the quantile with the probability I_share(k, count − k + 1).
    func atLeast(_ rank: Int) -> Double { rs_incomplete_beta(Double(rank), Double(count - rank + 1), share) }
    var (low, end) = (0, count + 1)
    while end - low > 1 {
      let middle = (low + end) / 2
      if 1 - atLeast(middle) <= risk { low = middle } else { end = middle }
    }
    var (start, high) = (0, count + 1)
    while high - start > 1 {
      let middle = (start + high) / 2
      if atLeast(middle) <= risk { high = middle } else { start = middle }
    }
    return (low, high)
  }
}
