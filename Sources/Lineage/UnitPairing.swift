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
