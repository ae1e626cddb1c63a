import CStatistics
public import Files

/// Keeping or dropping one point at a time, as it would have fared within a batch. Source: DataRater (arXiv 2505.17895).
public enum Acceptance {
  /// Points of a batch at most: the greatest power of two up to which probabilities hold 1e-12, with a digit to spare.
  public static let batchLimit = 1 << 24

  /// The probability that a point whose score has the quantile p is among the best K of B points, the others drawn at
  /// random: Σ_{s<K} C(B−1, s) (1−p)^s p^(B−1−s) = I_p(B − K, K).
  ///
  /// Its mean over the data is K / B. As B grows it tends to "keep if p > 1 − K / B". K = 0 keeps none, K = B all. Within 1e-12
  /// of the value, relatively, down to the smallest normal numbers.
  ///
  /// - Parameters:
  ///   - quantiles: [n], in [0, 1]: mid-ranks, so that ties and extremes do not collapse (`Distribution.cdf`).
  ///   - batchCount: B, in 1...2^24.
  ///   - keepCount: K, in 0...B.
  /// - Throws: `invalidArgument`, for a NaN too.
  public static func probabilities(
    _ quantiles: [Double], batch batchCount: Int, keeping keepCount: Int
  ) throws(RallyError) -> [Double] {
    try check(batchCount, "batch", in: 1...batchLimit)
    try check(keepCount, "keep", in: 0...batchCount)
    try checkShares(quantiles, "p")
    if keepCount == 0 || keepCount == batchCount {
      return [Double](repeating: keepCount == 0 ? 0 : 1, count: quantiles.count)
    }
    var probabilities: [Double] = []
    probabilities.reserveCapacity(quantiles.count)
    for p in quantiles {
      let probability = rs_incomplete_beta(Double(batchCount - keepCount), Double(keepCount), p)
      guard !probability.isNaN else {
        throw RallyError(
          .unsupported, "acceptance", expected: "a batch for which the probability can be computed",
          found: "\(keepCount) of \(batchCount) at \(p)", remedy: "name a smaller batch")
      }
      probabilities.append(min(max(probability, 0), 1))
    }
    return probabilities
  }

  /// Whether each point stays: a decision that depends on the point's name, its probability, the rater and a seed alone,
  /// and is the same on every machine and in every language.
  ///
  /// Point i stays if u < probability, where u in [0, 1) is the first 53 bits of
  ///
  ///     SHA-256( seed u64 · byte count of the fingerprint u64 · fingerprint · byte count of the id u64 · id )
  ///
  /// divided by 2^53; numbers are little-endian, the bits are the digest's first in reading order.
  /// Use the stored score's probability: a fresh score may differ in its last bits between instruction sets.
  ///
  /// - Parameters:
  ///   - ids: [n], any bytes.
  ///   - probabilities: [n], in [0, 1].
  ///   - fingerprint: of the rater; another rater decides independently.
  ///   - seed: another one decides independently.
  /// - Throws: `invalidArgument`, for a NaN and for counts that differ.
  public static func decide(
    ids: [ArraySlice<UInt8>], probabilities: [Double], fingerprint: String, seed: UInt64
  ) throws(RallyError) -> [Bool] {
    guard ids.count == probabilities.count else {
      throw RallyError(
        .invalidArgument, "probabilities", expected: "one for each of \(ids.count) ids", found: "\(probabilities.count)")
    }
    try checkShares(probabilities, "probabilities")
    var beginning = SHA256()
    beginning.update(littleEndian(seed))
    beginning.update(littleEndian(UInt64(fingerprint.utf8.count)))
    beginning.update(fingerprint.utf8)
    return zip(ids, probabilities).map { id, probability in
      var hash = beginning
      hash.update(littleEndian(UInt64(id.count)))
      hash.update(id)
      return unit(hash.finalize()) < probability
    }
  }

  /// The first 53 bits as a fraction in [0, 1).
  private static func unit(_ digest: [UInt8]) -> Double {
    let bits = digest[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return Double(bits >> 11) * 0x1p-53
  }
}

func checkShares(_ values: [Double], _ name: String) throws(RallyError) {
  if let place = values.firstIndex(where: { !(0...1 ~= $0) }) {
    throw RallyError(
      .invalidArgument, name, expected: "numbers in [0, 1]", found: "\(values[place]) at place \(place)")
  }
}

func littleEndian(_ word: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
}
