import Glibc
import Rally

/// Random tokens and lengths: the same for a seed, whatever else is measured.
struct TokenSource {
  private var generator: Generator
  private let vocabularySize: Int
  private let endOfSequence: Int32?

  /// - Parameter stream: tells the repetitions of a test apart.
  init(seed: UInt64, stream: Int, _ info: ModelInfo) {
    generator = Generator(state: seed &+ UInt64(truncatingIfNeeded: stream) &* 0xD134_2543_DE82_EF95)
    vocabularySize = info.vocabularySize
    endOfSequence = info.endOfSequence
  }

  /// No end of sequence among them.
  mutating func tokens(_ count: Int) -> [Int32] {
    (0..<count).map { _ in
      let token = Int32.random(in: 0..<Int32(vocabularySize), using: &generator)
      return token == endOfSequence ? (token + 1) % Int32(vocabularySize) : token
    }
  }

  /// Of a request's own draws.
  mutating func seed() -> UInt64 { generator.next() }

  mutating func lengths(_ count: Int, in range: ClosedRange<Int>) -> [Int] {
    (0..<count).map { _ in Int.random(in: range, using: &generator) }
  }

  /// Normally distributed, rounded, none outside of `range`.
  mutating func lengths(_ jobs: BenchJobs, within range: ClosedRange<Int>) -> [Int] {
    (0..<jobs.count).map { _ in
      let length = Double(jobs.meanLength) + Double(jobs.deviation) * normal()
      return Int(min(max(length.rounded(), Double(range.lowerBound)), Double(range.upperBound)))
    }
  }

  /// Box and Muller's transformation.
  private mutating func normal() -> Double {
    let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &generator))).squareRoot()
    return radius * cos(2 * .pi * Double.random(in: 0..<1, using: &generator))
  }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
private struct Generator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
