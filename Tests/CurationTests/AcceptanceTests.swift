import Curation
import Foundation
import Testing

struct AcceptanceTests {
  /// Σ_{s<K} C(B−1, s) (1−p)^s p^(B−1−s), term by term.
  private func twin(_ p: Double, _ batch: Int, _ keep: Int) -> Double {
    var (term, sum) = (pow(p, Double(batch - 1)), 0.0)
    for s in 0..<keep {
      sum += term
      term *= Double(batch - 1 - s) / Double(s + 1) * (1 - p) / p
    }
    return sum
  }

  @Test(arguments: [1, 2, 3, 10, 64, 143])
  func isTheSumOfItsTerms(batch: Int) throws {
    let quantiles = [0.01, 0.1, 0.3, 0.5, 0.751, 0.9, 0.999]
    for keep in 0...batch {
      let found = try Acceptance.probabilities(quantiles, batch: batch, keeping: keep)
      for (p, probability) in zip(quantiles, found) {
        #expect(abs(probability - twin(p, batch, keep)) <= 1e-12 * max(probability, 1e-280), "p \(p), K \(keep)")
      }
    }
  }

  /// Over all quantiles the mean is K / B.
  @Test(arguments: [(128, 32), (512, 128), (256, 128), (143, 128)])
  func keepsTheShareThatWasAskedFor(batch: Int, keep: Int) throws {
    let count = 200_000
    let quantiles = (0..<count).map { (Double($0) + 0.5) / Double(count) }
    let found = try Acceptance.probabilities(quantiles, batch: batch, keeping: keep)
    #expect(abs(found.reduce(0, +) / Double(count) - Double(keep) / Double(batch)) < 1e-9)
    #expect(found == found.sorted())
  }

  @Test func extremes() throws {
    for batch in [1, 2, 128, 1 << 20, Acceptance.batchLimit] {
      #expect(try Acceptance.probabilities([0, 0.5, 1], batch: batch, keeping: 0) == [0, 0, 0])
      #expect(try Acceptance.probabilities([0, 0.5, 1], batch: batch, keeping: batch) == [1, 1, 1])
      guard batch > 1 else { continue }
      #expect(try Acceptance.probabilities([0, 1], batch: batch, keeping: batch / 2) == [0, 1])
    }
  }

  @Test func wrongNumbers() {
    for p in [-1e-9, 1.000_001, .nan, .infinity] {
      #expect(code { _ = try Acceptance.probabilities([0.5, p], batch: 8, keeping: 2) } == .invalidArgument)
      #expect(code { _ = try Acceptance.decide(ids: [[1]], probabilities: [p], fingerprint: "", seed: 0) } == .invalidArgument)
    }
    for (batch, keep) in [(0, 0), (-1, 0), (8, 9), (8, -1), (Acceptance.batchLimit + 1, 1)] {
      #expect(code { _ = try Acceptance.probabilities([], batch: batch, keeping: keep) } == .invalidArgument)
    }
  }

  @Test func decisionsFollowTheirProbabilities() throws {
    let ids = (0..<20_000).map { ArraySlice("document \($0)".utf8) }
    func kept(_ probability: Double, seed: UInt64 = 0, fingerprint: String = "f") throws -> [Bool] {
      try Acceptance.decide(
        ids: ids, probabilities: [Double](repeating: probability, count: ids.count), fingerprint: fingerprint, seed: seed)
    }
    #expect(try kept(0).allSatisfy { !$0 } && kept(1).allSatisfy { $0 })
    let (quarter, half) = (try kept(0.25), try kept(0.5))
    // Four standard deviations of a fair draw.
    #expect(abs(quarter.count { $0 } - 5000) < 245 && abs(half.count { $0 } - 10_000) < 283)
    #expect(zip(quarter, half).allSatisfy { !$0 || $1 }, "who stays at a quarter stays at a half")
    for other in [try kept(0.5, seed: 1), try kept(0.5, fingerprint: "g")] {
      #expect(abs(zip(half, other).count { $0 == $1 } - 10_000) < 283, "another seed or rater decides again")
    }
  }
}
