import Files
package import Kernels

/// The lineage test of one set of units: parts are the matrices that share them.
///
/// With C the sum of the parts' cosines between unit i of A and unit j of B: T = tr C; over all h! pairings T has mean
/// μ = Σ C / h and variance σ² = Σ D² / (h − 1), D being C with the means of rows and columns taken out; z = (T − μ)/σ.
/// p counts seeded pairings that reach T. One pairing moves all parts: matrices that share units are one observation.
package struct UnitMatching {
  /// Of all parts together; its effect is the mean of theirs.
  package let whole: UnitMatch
  /// Of each part by itself.
  package let parts: [UnitMatch]

  /// Permutations that one worker takes at a time.
  private static var permutationsPerTask: Int { 64 }

  /// - Parameters:
  ///   - products: of at least two units.
  ///   - permutationCount: at least 1.
  /// - Complexity: (h + h · parts) per permutation; h² · parts once.
  package init(_ products: CrossProducts, permutationCount: Int, permutations: RandomPermutations, pool: WorkerPool) {
    precondition(products.rowCount > 1 && permutationCount > 0)
    var traces = [Double](repeating: 0, count: products.partCount)
    products.traces((0..<Int32(products.rowCount)).map { $0 }, into: &traces)
    let reached = Self.countReached(
      products, traces, permutationCount: permutationCount, permutations: permutations, pool: pool)
    var matches: [UnitMatch] = []
    for part in traces.indices {
      matches.append(
        Self.match(products, parts: part..<part + 1, trace: traces[part], reached[part], of: permutationCount))
    }
    parts = matches
    let all = Self.match(
      products, parts: 0..<traces.count, trace: Self.sum(traces), reached[traces.count], of: permutationCount)
    whole = UnitMatch(
      effect: all.effect / Double(traces.count), deviation: all.deviation, reachedCount: all.reachedCount,
      permutationCount: permutationCount)
  }

  /// In a fixed order, for the identity must reach itself.
  private static func sum(_ traces: [Double]) -> Double { traces.reduce(0, +) }

  /// - Returns: how many permutations reached the trace of each part, and of all together, [parts + 1].
  private static func countReached(
    _ products: CrossProducts, _ traces: [Double], permutationCount: Int, permutations: RandomPermutations,
    pool: WorkerPool
  ) -> [Int] {
    let targets = traces + [sum(traces)]
    let total = ForkSafe([Int](repeating: 0, count: targets.count))
    let taskCount = (permutationCount + permutationsPerTask - 1) / permutationsPerTask
    pool.parallelFor(taskCount) { task, _ in
      var permutation = [Int32](repeating: 0, count: products.rowCount)
      var permuted = [Double](repeating: 0, count: traces.count)
      var counts = [Int](repeating: 0, count: targets.count)
      let first = task * permutationsPerTask
      for index in first..<min(permutationCount, first + permutationsPerTask) {
        permutations.fill(&permutation, index: index)
        products.traces(permutation, into: &permuted)
        for part in permuted.indices where permuted[part] >= targets[part] { counts[part] += 1 }
        if sum(permuted) >= targets[permuted.count] { counts[permuted.count] += 1 }
      }
      total.withLock { total in
        for index in counts.indices { total[index] += counts[index] }
      }
    }
    return total.withLock { $0 }
  }

  private static func match(
    _ products: CrossProducts, parts: Range<Int>, trace: Double, _ reached: Int, of permutationCount: Int
  ) -> UnitMatch {
    let h = products.rowCount
    func value(_ row: Int, _ column: Int) -> Double { parts.reduce(0) { $0 + products[row, column, $1] } }
    var rowMeans = [Double](repeating: 0, count: h)
    var columnMeans = rowMeans
    for row in 0..<h {
      for column in 0..<h {
        let value = value(row, column)
        rowMeans[row] += value / Double(h)
        columnMeans[column] += value / Double(h)
      }
    }
    let mean = rowMeans.reduce(0, +) / Double(h)
    var squares = 0.0
    for row in 0..<h {
      for column in 0..<h {
        let rest = value(row, column) - rowMeans[row] - columnMeans[column] + mean
        squares += rest * rest
      }
    }
    let spread = (squares / Double(h - 1)).squareRoot()
    // What rounding leaves of no spread: T of cosines near 1 is off by h · 2⁻⁵².
    guard spread > 1e-12 * Double(h * parts.count) else {
      return UnitMatch(effect: 0, deviation: 0, reachedCount: permutationCount, permutationCount: permutationCount)
    }
    return UnitMatch(
      effect: trace / Double(h) - mean, deviation: (trace - mean * Double(h)) / spread, reachedCount: reached,
      permutationCount: permutationCount)
  }
}
