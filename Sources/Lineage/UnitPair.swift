import Files
import Kernels
import Models

/// A set of units of A and its partner in B.
struct UnitPair {
  let kind: UnitKind
  let unitCount: Int
  private let name: String
  private var matrices: [(a: UnitMatrix, b: UnitMatrix)]

  /// - Throws: `mismatch`, naming both shapes; `invalidShape` for fewer than two units.
  init(_ a: UnitSet, _ b: UnitSet) throws(RallyError) {
    (kind, name, unitCount) = (a.kind, a.name, a.unitCount)
    matrices = []
    guard a.matrices.count == b.matrices.count else {
      throw RallyError(
        .mismatch, name, expected: "\(a.matrices.count) matrices, as in A", found: "\(b.matrices.count) in B",
        remedy: "only models of one architecture can be compared")
    }
    for (key, matrix) in a.matrices {
      guard let partner = b.matrices.first(where: { $0.key == key })?.matrix else {
        throw RallyError(
          .mismatch, name, expected: "\(key) in both models", found: "it in A alone",
          remedy: "only models of one architecture can be compared")
      }
      let isOverTokens = kind == .residual || kind == .head
      let (left, right) = isOverTokens ? UnitMatrix.withCommonTokens(matrix, partner) : (matrix, partner)
      guard left.matches(right) else {
        throw RallyError(
          .mismatch, left.tensor.name, expected: "\(left.shape) with \(left.unitCount) units, as in A",
          found: "\(right.shape) with \(right.unitCount) in B",
          remedy: "only models of one architecture can be compared")
      }
      matrices.append((left, right))
    }
    guard unitCount > 1 else {
      throw RallyError(.invalidShape, name, expected: "two units or more", found: "\(unitCount)")
    }
  }

  mutating func merge(_ other: UnitPair) { matrices += other.matrices }

  /// - Throws: `notFinite`; `invalidValue` where no pairing differs from another; `outOfMemory`.
  func compare(
    _ permutationCount: Int, _ permutations: RandomPermutations, _ pool: WorkerPool
  ) throws(RallyError) -> (whole: LineageEntry, parts: [LineageEntry]) {
    let units = EvenSubset.of(unitCount, limit: Lineage.maximumUnitCount)
    let products = try CrossProducts(rowCount: units.count, partCount: matrices.count)
    for (part, pair) in matrices.enumerated() {
      products.add(try pair.a.vectors(units), try pair.b.vectors(units), part: part, pool: pool)
    }
    let matching = UnitMatching(
      products, permutationCount: permutationCount, permutations: permutations, pool: pool)
    guard matching.whole.reachedCount < permutationCount || matching.whole.deviation != 0 else {
      throw RallyError(
        .invalidValue, matrices[0].a.tensor.name, expected: "units that differ from each other",
        found: "units that are all alike, or zero")
    }
    func entry(_ name: String, _ match: UnitMatch) -> LineageEntry {
      LineageEntry(name: name, setName: self.name, unitCount: units.count, totalUnitCount: unitCount, match: match)
    }
    let parts = zip(matrices, matching.parts).map { entry($0.a.tensor.name, $1) }
    return (entry(name, matching.whole), parts)
  }
}
