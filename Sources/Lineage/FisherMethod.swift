import Glibc

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
