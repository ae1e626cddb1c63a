import Files
import Kernels
import Models

/// The sets of units that two models have in common: all of them, or they cannot be compared.
struct UnitPairing {
  private(set) var pairs: [UnitPair] = []

  /// - Parameter mergesCopies: sets that hold the same weights become one.
  /// - Throws: `mismatch`, naming what only one has or both shapes; `invalidShape` for a set of one unit.
  init(_ a: UnitModel, _ b: UnitModel, mergesCopies: Bool) throws(RallyError) {
    let (left, right) = (Self.comparable(a, with: b), Self.comparable(b, with: a))
    for set in right where !left.contains(where: { $0.name == set.name }) {
      throw Self.missing(set.name, in: a, of: b)
    }
    var digests: [(UInt64, UInt64)] = []
    for set in left {
      guard let partner = right.first(where: { $0.name == set.name }) else { throw Self.missing(set.name, in: b, of: a) }
      let pair = try UnitPair(set, partner)
      guard mergesCopies else {
        pairs.append(pair)
        continue
      }
      let digest = (set.digest, partner.digest)
      // A recursive model's copies are one layer: its units are permuted once, not once per copy.
      let place = pairs.indices.first { index in
        pairs[index].unitCount == pair.unitCount && pairs[index].kind == pair.kind && pair.kind != .head
          && (digests[index].0 == digest.0 || digests[index].1 == digest.1)
      }
      guard let place else {
        pairs.append(pair)
        digests.append(digest)
        continue
      }
      if digests[place] != digest { pairs[place].merge(pair) }
    }
  }

  /// Without a head that the other lacks, and without attention of one head.
  private static func comparable(_ model: UnitModel, with other: UnitModel) -> [UnitSet] {
    model.sets.filter { set in
      switch set.kind {
      case .head: other.sets.contains { $0.kind == .head }
      case .heads: set.unitCount > 1
      default: true
      }
    }
  }

  private static func missing(_ name: String, in model: UnitModel, of other: UnitModel) -> RallyError {
    RallyError(
      .mismatch, name, expected: "in both models", found: "in \(other.path) and not in \(model.path)",
      remedy: "only models of one architecture can be compared")
  }
}

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
