import Glibc
import Kernels
import Testing

@Suite struct JeffreysTests {
  private func logSoftmax(_ x: [Float]) -> [Double] {
    let largest = Double(x.max() ?? 0)
    let sum = x.reduce(0.0) { $0 + exp(Double($1) - largest) }
    return x.map { Double($0) - largest - log(sum) }
  }

  /// Every tail of the widest vector, and a vocabulary.
  @Test(arguments: Array(1...40) + [1000, 49152])
  func matchesTwin(count: Int) {
    var random = Random(seed: UInt64(count))
    let (x, y) = (random.floats(count, scale: 8), random.floats(count, scale: 8))
    let target = random.below(count)
    let (divergence, logRatio) = unsafe LogProbability.compare(x, y, count: count, target: target)
    let (p, q) = (logSoftmax(x), logSoftmax(y))
    let expected = (0..<count).reduce(0.0) { $0 + (exp(p[$1]) - exp(q[$1])) * (p[$1] - q[$1]) }
    #expect(abs(Double(divergence) - expected) <= 1e-5 * expected + 1e-6)
    #expect(abs(Double(logRatio) - (p[target] - q[target])) <= 1e-5)
    let (none, same) = unsafe LogProbability.compare(x, x, count: count, target: target)
    #expect(none == 0 && same == 0)
  }

  @Test func notANumberShows() {
    #expect(unsafe LogProbability.compare([1, .nan], [1, 2], count: 2, target: 0).divergence.isNaN)
  }
}
