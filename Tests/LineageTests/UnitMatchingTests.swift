import Kernels
import Lineage
import Testing

@Suite struct UnitMatchingTests {
  /// C = A Bᵀ of unit rows, with `noise` of B against A.
  private func products(_ h: Int, _ width: Int, noise: Float, seed: UInt64) throws -> CrossProducts {
    var state = seed
    func next() -> Float {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(state >> 40) / Float(1 << 23) - 1
    }
    let (a, b) = (try DoubleRows(rowCount: h, width: width), try DoubleRows(rowCount: h, width: width))
    for row in 0..<h {
      let values = (0..<width).map { _ in next() }
      unsafe a.set(row: row, column: 0, from: values, count: width)
      unsafe b.set(row: row, column: 0, from: values.map { $0 + noise * next() }, count: width)
    }
    a.normalize()
    b.normalize()
    let products = try CrossProducts(rowCount: h, partCount: 1)
    products.add(a, b, part: 0, pool: try WorkerPool(threadCount: 1))
    return products
  }

  /// With few units every pairing can be tried: mean, variance and p are those of all of them.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func momentsAreThoseOfAllPairings(seed: UInt64) throws {
    let h = 5
    let table = try products(h, 3, noise: 3, seed: seed)
    var traces: [Double] = []
    func visit(_ taken: [Int]) {
      guard taken.count < h else {
        traces.append(taken.enumerated().reduce(0) { $0 + table[$1.offset, $1.element, 0] })
        return
      }
      for next in 0..<h where !taken.contains(next) { visit(taken + [next]) }
    }
    visit([])
    let trace = traces[0]
    let mean = traces.reduce(0, +) / Double(traces.count)
    let variance = traces.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(traces.count)
    let share = Double(traces.count { $0 >= trace - 1e-12 }) / Double(traces.count)
    let match = UnitMatching(
      table, permutationCount: 20_000, permutations: RandomPermutations(seed: seed, stream: 0),
      pool: try WorkerPool(threadCount: 2)
    ).whole
    #expect(abs(match.deviation - (trace - mean) / variance.squareRoot()) < 1e-9)
    #expect(abs(match.effect - (trace - mean) / Double(h)) < 1e-12)
    #expect(abs(match.p - share) < 0.02)
  }

  @Test func noSpreadIsNoEvidence() throws {
    let ones = try DoubleRows(rowCount: 40, width: 3)
    for row in 0..<40 { unsafe ones.set(row: row, column: 0, from: [1, 2, 3], count: 3) }
    ones.normalize()
    let products = try CrossProducts(rowCount: 40, partCount: 1)
    let pool = try WorkerPool(threadCount: 1)
    products.add(ones, ones, part: 0, pool: pool)
    let match = UnitMatching(
      products, permutationCount: 100, permutations: RandomPermutations(seed: 0, stream: 0), pool: pool
    ).whole
    #expect(match == UnitMatch(effect: 0, deviation: 0, reachedCount: 100, permutationCount: 100) && match.p == 1)
  }

  @Test func permutationsArePermutations() {
    var counts = [[Int]](repeating: [Int](repeating: 0, count: 6), count: 6)
    let permutations = RandomPermutations(seed: 3, stream: 1)
    var permutation = [Int32](repeating: 0, count: 6)
    for index in 0..<36_000 {
      permutations.fill(&permutation, index: index)
      #expect(permutation.sorted() == [0, 1, 2, 3, 4, 5])
      for (place, value) in permutation.enumerated() { counts[place][Int(value)] += 1 }
    }
    // 6000 each; five standard deviations of a binomial.
    #expect(counts.joined().allSatisfy { abs($0 - 6000) < 360 })
    var other = permutation
    RandomPermutations(seed: 3, stream: 2).fill(&other, index: 35_999)
    #expect(other != permutation)
    var none: [Int32] = []
    permutations.fill(&none, index: 0)
  }

  @Test func fishersMethodHasItsClosedForm() {
    #expect(FisherMethod.combine([]) == 1 && FisherMethod.combine([1, 1]) == 1)
    #expect(abs(FisherMethod.combine([0.03]) - 0.03) < 1e-15)
    // Of two: q (1 − ln q), q their product.
    #expect(abs(FisherMethod.combine([0.2, 0.05]) - 0.01 * 5.605170185988091) < 1e-15)
    // Far beyond where exp(−y) is 0.
    let tiny = FisherMethod.combine([Double](repeating: 1e-4, count: 400))
    #expect(tiny > 0 && tiny <= 1e-300)
  }

  @Test func verdictsFollowTheirBounds() {
    #expect(LineageVerdict(p: 1e-3, effect: 1) == .notSeen && LineageVerdict(p: .nan, effect: 1) == .notSeen)
    #expect(LineageVerdict(p: 1e-4, effect: 0.7499) == .shared && LineageVerdict(p: 1e-4, effect: 0.75) == .partialExposure)
    #expect(LineageVerdict(p: 1e-4, effect: 0.95) == .strongExposure)
    #expect(LineageVerdict.notSeen.text.contains("no proof"))
  }
}
