import Glibc

/// How well unit i of one model matches unit i of another, against all other ways to pair them.
///
/// Zhu et al. 2025, arXiv 2502.12292, with the exact mean and variance of a permuted trace (Daniels 1944).
public struct UnitMatch: Sendable, Equatable {
  /// ρ: mean cosine of the pairs, less that of all units; 1 for equal weights, about 0 for independent ones.
  public var effect: Double
  /// z: the trace less its mean over all permutations, in its standard deviations; 0 where there is no spread.
  public var deviation: Double
  /// Permutations whose trace reached that of the pairs.
  public var reachedCount: Int
  public var permutationCount: Int

  public init(effect: Double, deviation: Double, reachedCount: Int, permutationCount: Int) {
    self.effect = effect
    self.deviation = deviation
    self.reachedCount = reachedCount
    self.permutationCount = permutationCount
  }

  /// (1 + reached) / (1 + permutations): valid for any number of permutations, never 0.
  public var p: Double { Double(1 + reachedCount) / Double(1 + permutationCount) }
}

/// Fisher's method: one p-value from several independent ones.
public enum FisherMethod {
  /// The probability that χ² with 2 n degrees of freedom exceeds −2 Σ ln p, by its closed form
  /// exp(−y) Σ_{k<n} yᵏ / k!, y = −Σ ln p. At least the smallest normal number: never 0.
  ///
  /// - Parameter values: in (0, 1]; 1 for none.
  public static func combine(_ values: [Double]) -> Double {
    let y = -values.reduce(0) { $0 + log($1) }
    guard y > 0 else { return 1 }
    // Logarithms of the terms: exp(−y) alone is 0 from a hundred small values on.
    var term = 0.0
    var terms = [0.0]
    for k in 1..<max(values.count, 1) {
      term += log(y) - log(Double(k))
      terms.append(term)
    }
    let largest = terms.max() ?? 0
    let sum = terms.reduce(0) { $0 + exp($1 - largest) }
    return min(1, max(exp(largest - y + log(sum)), .leastNormalMagnitude))
  }
}
