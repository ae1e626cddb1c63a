public import Files

/// The distribution of a stream of scores, in little memory: which share of them lies below a score, and the reverse.
///
/// Up to `capacity` scores are kept as they are. From then on a score stands for others near it: a level that is full is
/// sorted, and every second of its scores goes up a level, where it counts twice. Each time, the rank of anything is wrong
/// by at most the weight of one score, upwards where the even places go up and downwards where the odd ones do; whichever
/// side has less is chosen, so that the two cancel, and both are counted. What `rankError` says is therefore certain, not
/// likely. A level h moves capacity · 2^h scores or more at a time, so that its errors add up to at most n / capacity: of n
/// scores in any tree of merges, `rankError` is at most L / capacity, L = log2(n / capacity) + 1; of a single stream, in
/// any order, (L + 1) / (2 · capacity). With the default that is 0.11 % at a million, 0.23 % at a billion.
///
/// Nothing is drawn at random: the same scores in the same order give the same bytes. n scores take O(n log capacity) time
/// and 4 · capacity bytes for each doubling of n.
/// Source: levels and lazy compaction as in KLL (arXiv 1603.05346), equal levels and alternating places as in Manku,
/// Rajagopalan and Lindsay (SIGMOD 1998); counting the errors is ours.
public struct Distribution: Sendable {
  public static let defaultCapacity = 4096
  public static let capacities = 8...1 << 20
  /// Bytes of a label at most.
  public static let labelLimit = 1 << 16

  /// What the scores are of. Distributions of different labels are never merged.
  public let label: String
  /// Scores of a level; even.
  public let capacity: Int
  /// Scores that were added.
  public internal(set) var count = 0
  /// Of all scores that were added; NaN while there are none.
  public internal(set) var minimum = Float.nan
  public internal(set) var maximum = Float.nan

  /// Level h holds at most `capacity` scores, each of which stands for 2^h.
  var levels: [[Float]] = [[]]
  /// By how many scores a rank may have come out too high and too low.
  var excess: UInt64 = 0
  var deficit: UInt64 = 0

  /// - Throws: `invalidArgument` for an odd capacity or one outside `capacities`, and for a label that is too long.
  public init(label: String = "", capacity: Int = defaultCapacity) throws(RallyError) {
    guard Self.capacities.contains(capacity), capacity % 2 == 0 else {
      throw RallyError(
        .invalidArgument, "capacity",
        expected: "an even number from \(Self.capacities.lowerBound) to \(Self.capacities.upperBound)",
        found: "\(capacity)")
    }
    guard label.utf8.count <= Self.labelLimit else {
      throw RallyError(
        .invalidArgument, "label", expected: "at most \(Self.labelLimit) bytes", found: "\(label.utf8.count)")
    }
    self.label = label
    self.capacity = capacity
  }

  /// No mid-rank, as a share of all scores, is wrong by more than this; 0 exactly as long as every score is kept.
  public var rankError: Double {
    count == 0 ? 0 : min(1, Double(max(excess, deficit)) / Double(count))
  }

  /// Adds scores. On an error none is added.
  /// - Throws: `notFinite` for a NaN; infinities are scores. `limitExceeded` beyond 2^53 scores.
  public mutating func add(_ scores: [Float]) throws(RallyError) {
    guard !scores.isEmpty else { return }
    try checkScores(scores)
    count = try total(with: scores.count)
    for score in scores {
      levels[0].append(score)
      if levels[0].count == capacity + 1 { compact() }
    }
    extend(to: scores.min() ?? .nan, scores.max() ?? .nan)
  }

  /// Adds all that another distribution has seen. Which of the two takes the other changes nothing of what is certain.
  /// - Throws: `mismatch` for another label or capacity; `limitExceeded`.
  public mutating func merge(_ other: Distribution) throws(RallyError) {
    try checkCompany(other)
    guard other.count > 0 else { return }
    count = try total(with: other.count)
    for (level, scores) in other.levels.enumerated() {
      if level == levels.count { levels.append([]) }
      levels[level] += scores
    }
    excess = Self.sum(excess, other.excess)
    deficit = Self.sum(deficit, other.deficit)
    compact()
    extend(to: other.minimum, other.maximum)
  }

  private func checkCompany(_ other: Distribution) throws(RallyError) {
    guard label == other.label else {
      throw RallyError(
        .mismatch, "distribution", expected: "scores of '\(label)'", found: "'\(other.label)'",
        remedy: "scores of different raters, modes or windows have distributions of their own")
    }
    guard capacity == other.capacity else {
      throw RallyError(.mismatch, "distribution", expected: "capacity \(capacity)", found: "\(other.capacity)")
    }
  }

  /// Beyond 2^53 a share of the count is no longer exact.
  private func total(with more: Int) throws(RallyError) -> Int {
    guard count <= 1 << 53 - more else {
      throw RallyError(.limitExceeded, "distribution", expected: "at most 2^53 scores", found: "more")
    }
    return count + more
  }

  private mutating func extend(to low: Float, _ high: Float) {
    minimum = minimum <= low ? minimum : low
    maximum = maximum >= high ? maximum : high
  }

  /// Halves every level that holds more than its capacity. An odd score stays behind.
  private mutating func compact() {
    var level = 0
    while level < levels.count {
      defer { level += 1 }
      guard levels[level].count > capacity else { continue }
      if level + 1 == levels.count { levels.append([]) }
      let sorted = levels[level].sorted()
      let even = sorted.count & ~1
      // From even places a pair that a rank divides counts twice where it should count once, from odd ones not at all.
      let goesUpFromOdd = excess > deficit
      for place in stride(from: goesUpFromOdd ? 1 : 0, to: even, by: 2) { levels[level + 1].append(sorted[place]) }
      levels[level] = Array(sorted[even...])
      let weight = UInt64(1) << UInt64(level)
      if goesUpFromOdd { deficit = Self.sum(deficit, weight) } else { excess = Self.sum(excess, weight) }
    }
  }

  /// Errors beyond `errorLimit`, which is more than all ranks there are, are as good as it.
  static let errorLimit: UInt64 = 1 << 60
  private static func sum(_ one: UInt64, _ other: UInt64) -> UInt64 { min(one + other, errorLimit) }
}
