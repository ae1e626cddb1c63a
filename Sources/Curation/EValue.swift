import Glibc

/// Evidence that samples were not drawn from a base distribution p₀, growing with every sample.
///
/// E_n = exp Σ s_i with s_i = log p_T(y_i) − log p₀(y_i) is a martingale of mean 1 while every sample is drawn from p₀,
/// also where p_T or the prompt of a sample depends on the samples before. So P(sup E ≥ 1/α) ≤ α for every α (Ville 1939):
/// one may look after every sample and stop at will. Kept as a logarithm; E itself overflows.
public struct EValue: Sendable, Equatable {
  /// log E_n
  public private(set) var logarithm = 0.0
  /// The largest log E so far; at least 0, for E_0 = 1.
  public private(set) var largest = 0.0
  public private(set) var count = 0

  public init() {}

  /// - Parameter logRatio: of one sample. A NaN stays.
  public mutating func add(_ logRatio: Double) {
    logarithm += logRatio
    count += 1
    if !(logarithm <= largest) { largest = logarithm }
  }

  /// Whether p₀ is rejected; if it holds, the probability that this ever happens is at most `alpha`.
  public func rejects(at alpha: Double) -> Bool { largest >= -log(alpha) }
}
