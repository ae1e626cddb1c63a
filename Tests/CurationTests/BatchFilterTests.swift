import Curation
import Files
import Testing

struct BatchFilterTests {
  @Test(arguments: [
    (1, 0.9, 10), (1, 0.0, 1), (0, 0.5, 0), (32, 0.75, 128), (128, 0.75, 512), (128, 0.1, 143), (128, 0.5, 256), (7, 0.3, 10),
    (3, 0.7, 10), (1, 0.99, 100), (1, 0.999_999, 1_000_000), (3, 1e-300, 4), (3, .leastNonzeroMagnitude, 4), (.max, 0.0, .max),
    (1, 0.999_999_999_999_999_9, 10_000_000_000_000_000), (1, 1e-5, 2), (99_999, 1e-5, 100_000), (100_000, 1e-5, 100_002),
  ])
  func drawnCounts(keep: Int, discard: Double, expected: Int) throws {
    #expect(try BatchFilter.drawCount(keeping: keep, discarding: discard) == expected)
  }

  /// Every hundredth, against whole numbers.
  @Test(arguments: 0..<100)
  func drawnCountsAreExactInDecimal(percent: Int) throws {
    let discard = try #require(Double("0.\(percent < 10 ? "0" : "")\(percent)"))
    for keep in [1, 2, 3, 7, 99, 100, 101, 12_345, 1 << 40] {
      let drawn = try BatchFilter.drawCount(keeping: keep, discarding: discard)
      #expect(drawn == (100 * keep + 99 - percent) / (100 - percent))
    }
  }

  @Test(arguments: [(-1, 0.5), (1, -0.1), (1, 1.0), (1, .nan), (1, .infinity), (1, -.infinity)])
  func wrongShares(keep: Int, discard: Double) {
    #expect(code { _ = try BatchFilter.drawCount(keeping: keep, discarding: discard) } == .invalidArgument)
  }

  @Test func moreThanCanBeCounted() {
    #expect(code { _ = try BatchFilter.drawCount(keeping: .max, discarding: 0.5) } == .limitExceeded)
    #expect(code { _ = try BatchFilter.drawCount(keeping: 1, discarding: 1e-300) } == nil)
    #expect(code { _ = try BatchFilter.drawCount(keeping: .max, discarding: 1e-300) } == .limitExceeded)
  }

  @Test(arguments: [(10, 0.1, 1), (9, 0.1, 1), (100, 0.29, 29), (1000, 1, 1000), (0, 0.5, 0), (5, 1e-300, 1), (128, 0.25, 32)])
  func keptCounts(count: Int, keep: Double, expected: Int) throws {
    #expect(try BatchFilter.keepCount(of: count, keeping: keep) == expected)
    for wrong in [0, -1, 1.5, .nan] {
      #expect(code { _ = try BatchFilter.keepCount(of: count, keeping: wrong) } == .invalidArgument)
    }
  }

  /// The twin sorts places by score and then by place.
  @Test(arguments: 1..<60)
  func theBestStay(count: Int) throws {
    var random = SplitMix(seed: UInt64(count))
    let scores = (0..<count).map { _ in [Float(0), -0.0, 1, -1, .infinity, -.infinity, 0.5][Int(random.next() % 7)] }
    for keep in 0...count {
      let twin = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }.prefix(keep).sorted()
      #expect(try BatchFilter.top(scores, keeping: keep) == twin)
    }
  }

  @Test func wrongScores() {
    #expect(code { _ = try BatchFilter.top([], keeping: 0) } == .emptyInput)
    #expect(code { _ = try BatchFilter.top([1, .nan], keeping: 1) } == .notFinite)
    #expect(code { _ = try BatchFilter.top([1], keeping: 2) } == .invalidArgument)
    #expect(code { _ = try BatchFilter.softmaxWeights([]) } == .emptyInput)
    #expect(code { _ = try BatchFilter.softmaxWeights([1, .infinity]) } == .notFinite)
  }

  @Test func weights() throws {
    #expect(try BatchFilter.softmaxWeights([3, 3, 3, 3]) == [0.25, 0.25, 0.25, 0.25])
    #expect(try BatchFilter.softmaxWeights([3e38, -3e38]) == [1, 0])
    let scores: [Float] = [0, 1, 2, -5]
    let shifted = try BatchFilter.softmaxWeights(scores.map { $0 + 1024 })
    #expect(try BatchFilter.softmaxWeights(scores) == shifted)
    #expect(abs(shifted.reduce(0, +) - 1) < 1e-6)
  }

  /// A rater of 50 million parameters for a model of a billion, and for one of its own size.
  @Test func cost() throws {
    let large = try BatchFilter.ratingCost(raterParameters: 50e6, modelParameters: 1e9, discarding: 0.75)
    #expect(abs(large - 1 / 15) < 1e-15)
    let small = try BatchFilter.ratingCost(raterParameters: 50e6, modelParameters: 50e6, discarding: 0.75)
    #expect(abs(small - 4 / 3) < 1e-15)
    for (rater, model, discard) in [(0, 1, 0.5), (1, 0, 0.5), (1, 1, 1.0), (.nan, 1, 0.5), (1, .infinity, 0.5)] {
      #expect(
        code { _ = try BatchFilter.ratingCost(raterParameters: rater, modelParameters: model, discarding: discard) }
          == .invalidArgument)
    }
  }
}

/// The code of what `body` throws.
func code(_ body: () throws -> Void) -> RallyError.Code? {
  do { try body() } catch { return (error as? RallyError)?.code }
  return nil
}

struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
