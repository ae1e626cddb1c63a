import Glibc

/// How well unit i of one model matches unit i of another, against all other ways to pair them.
///
/// Zhu et al. 2025, arXiv 2502.12292, with the exact mean and variance of a permuted trace (Daniels 1944).
public struct UnitMatch: Sendable, Equatable {
  /// ρ: mean cosine of the pairs, less that of all units; near 1 for equal weights of many units, about 0 for independent ones.
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
