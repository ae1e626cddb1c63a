import Glibc
@testable import Kernels
import Testing
import Files

@Suite struct SamplingTests {
  static func parameters(_ change: (inout SamplingParameters) -> Void) -> SamplingParameters {
    var parameters = SamplingParameters()
    parameters.seed = 42
    change(&parameters)
    return parameters
  }

  /// Which tokens appear in `draws` draws, and how often.
  static func counts(_ logits: [Float], _ parameters: SamplingParameters, draws: Int = 4_000) throws -> [Int] {
    var sampler = try Sampler(vocabularySize: logits.count)
    var counts = [Int](repeating: 0, count: logits.count)
    for index in 0..<draws { unsafe counts[sampler.token(from: logits, parameters: parameters, index: UInt64(index))] += 1 }
    return counts
  }

  static let logits: [Float] = [0.5, 2, -1, 1.5, 0, -3, 1, .nan, -.infinity, 2]

  @Test func temperatureZeroIsGreedyWithTheLowestTie() throws {
    #expect(try Self.counts(Self.logits, Self.parameters { $0.temperature = 0 }, draws: 10)[1] == 10)
  }

  @Test(arguments: [Float(0.5), 1, 2])
  func frequenciesFollowTheProbabilities(temperature: Float) throws {
    let draws = 8_000
    let counts = try Self.counts(Self.logits, Self.parameters { $0.temperature = temperature }, draws: draws)
    let weights = Self.logits.map { $0.isFinite ? exp(Double($0 / temperature)) : 0 }
    let total = weights.reduce(0, +)
    for (count, weight) in zip(counts, weights) {
      let p = weight / total
      // Five standard deviations.
      #expect(abs(Double(count) - Double(draws) * p) <= 5 * (Double(draws) * p * (1 - p)).squareRoot())
    }
  }

  /// The quick way over the whole vocabulary against the one over candidates, which a top-k of all tokens takes.
  @Test(arguments: [Float(0.3), 1, 1.7])
  func drawingFromAllIsDrawingFromCandidates(temperature: Float) throws {
    var random = Random(seed: 3)
    let logits = random.floats(5_000, scale: 8)
    var sampler = try Sampler(vocabularySize: logits.count)
    var differing = 0
    for index in 0..<2_000 as Range<UInt64> {
      let all = unsafe sampler.token(from: logits, parameters: Self.parameters { $0.temperature = temperature }, index: index)
      let number = uniform(42, index)
      // Inverse of the distribution in order of the ids.
      let weights = logits.map { exp(Double($0 - 8) / Double(temperature)) }
      let total = weights.reduce(0, +)
      var sum = 0.0
      let expected =
        weights.firstIndex {
          sum += $0; return sum > number * total
        } ?? -1
      if all != expected { differing += 1 }
    }
    #expect(differing <= 2, "sums that round otherwise move the border between neighbours only")
  }

  @Test func filtersKeepWhatTheySay() throws {
    func kept(_ change: (inout SamplingParameters) -> Void) throws -> Set<Int> {
      Set(try Self.counts(Self.logits, Self.parameters(change)).enumerated().filter { $1 > 0 }.map(\.offset))
    }
    #expect(
      try kept {
        $0.topK = 3; $0.temperature = 3
      } == [1, 9, 3])
    #expect(try kept { $0.topK = 1 } == [1])
    #expect(
      try kept {
        $0.topK = 100; $0.temperature = 10
      } == [0, 1, 2, 3, 4, 5, 6, 9])
    // Probabilities: .296 .296 .179 .109 .066 .040 .0147 .002.
    #expect(
      try kept {
        $0.topP = 0.5; $0.temperature = 3
      } == [1, 9])
    #expect(
      try kept {
        $0.topP = 0.6; $0.temperature = 3
      } == [1, 9, 3])
    #expect(try kept { $0.topP = 1e-6 } == [1])
    #expect(
      try kept {
        $0.minP = 0.5; $0.temperature = 3
      } == [1, 9, 3])
    #expect(
      try kept {
        $0.minP = 1; $0.temperature = 3
      } == [1, 9])
    // After top-k 3 the probabilities are .384 .384 .233.
    #expect(
      try kept {
        $0.topK = 3; $0.topP = 0.75; $0.temperature = 3
      } == [1, 9])
    #expect(
      try kept {
        $0.topP = 0.9; $0.minP = 0.7; $0.temperature = 3
      } == [1, 9])
  }

  @Test func aDrawIsAFunctionOfSeedAndIndex() throws {
    let parameters = Self.parameters { $0.topP = 0.9 }
    var one = try Sampler(vocabularySize: Self.logits.count)
    var other = try Sampler(vocabularySize: Self.logits.count)
    let forward = (0..<50).map { unsafe one.token(from: Self.logits, parameters: parameters, index: UInt64($0)) }
    let backward = (0..<50).reversed().map { unsafe other.token(from: Self.logits, parameters: parameters, index: UInt64($0)) }
    #expect(forward == backward.reversed())
    #expect(Set(forward).count > 1)
  }

  @Test func topPOverALargeVocabularyMatchesASort() throws {
    var random = Random(seed: 12)
    let logits = random.floats(600, scale: 6)
    let order = logits.indices.sorted { logits[$0] > logits[$1] }
    let weights = logits.map { exp(Double($0)) }
    let total = weights.reduce(0, +)
    var kept: Set<Int> = []
    var sum = 0.0
    for token in order {
      kept.insert(token)
      sum += weights[token]
      if sum >= 0.3 * total { break }
    }
    let counts = try Self.counts(
      logits,
      Self.parameters {
        $0.topP = 0.3; $0.temperature = 20
      }, draws: 4_000)
    #expect(Set(counts.indices.filter { counts[$0] > 0 }) == kept)
  }

  @Test func nothingFiniteGivesAToken() throws {
    for value in [Float.nan, -.infinity, .infinity] {
      let counts = try Self.counts([value, value, value], Self.parameters { $0.topP = 0.5 }, draws: 3)
      #expect(counts.reduce(0, +) == 3)
    }
  }

  @Test func parametersOutOfRangeAreNamed() {
    for (name, change) in [
      ("temperature", { $0.temperature = -1 }), ("temperature", { $0.temperature = .nan }), ("top_k", { $0.topK = -1 }),
      ("top_p", { $0.topP = 0 }), ("top_p", { $0.topP = 1.5 }), ("min_p", { $0.minP = -0.1 }),
    ] as [(String, (inout SamplingParameters) -> Void)] {
      do throws(RallyError) {
        try Self.parameters(change).validate()
        Issue.record("\(name) was accepted")
      } catch {
        #expect(error.subject == name && error.code == .invalidArgument)
      }
    }
  }

  @Test(arguments: tails.dropFirst() + [1000, 49_152])
  func logSumExpSoftmaxAndArgmax(count: Int) {
    var random = Random(seed: UInt64(count))
    let x = random.floats(count, scale: 10)
    let exact = Twin.logSumExp(x)
    unsafe #expect(abs(Double(LogProbability.logSumExp(x, count: count)) - exact) <= 4e-6)
    let target = random.below(count)
    unsafe #expect(abs(Double(LogProbability.of(target, logits: x, count: count)) - (Double(x[target]) - exact)) <= 6e-6)
    unsafe #expect(LogProbability.argmax(x, count: count) == x.indices.max { x[$0] < x[$1] })
    var y = x
    unsafe LogProbability.softmax(&y, count: count)
    let expected = x.map { exp(Double($0) - exact) }
    #expect(excess(y, expected, absolute: 1e-9, relative: 6e-6) <= 1)
    var chunked = ChunkedLogSumExp()
    for start in stride(from: 0, to: count, by: 10) {
      unsafe chunked.add(Array(x[start...]), count: min(10, count - start))
    }
    #expect(abs(Double(chunked.value) - exact) <= 1e-5)
  }

  @Test func notANumberAndInfinityInLogits() {
    unsafe #expect(LogProbability.argmax([.nan, 1, 3, 3, .nan], count: 5) == 2)
    unsafe #expect(LogProbability.argmax([.nan, .nan], count: 2) == 0)
    unsafe #expect(LogProbability.logSumExp([1, .nan], count: 2).isNaN)
    unsafe #expect(LogProbability.logSumExp([1, .infinity], count: 2) == .infinity)
    unsafe #expect(LogProbability.logSumExp([-.infinity, -.infinity], count: 2) == -.infinity)
    unsafe #expect(LogProbability.logSumExp([], count: 0) == -.infinity)
  }
}
