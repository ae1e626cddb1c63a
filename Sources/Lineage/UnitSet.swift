package import Files
import Kernels
import Models

/// Matrices that share hidden units: what permutes the units of one permutes those of all.
package struct UnitSet: Sendable {
  /// Such as `layers.3.feed_forward`; the same for the same place of every model.
  package let name: String
  package let kind: UnitKind
  /// By what tells them apart inside the set.
  package private(set) var matrices: [(key: String, matrix: UnitMatrix)] = []

  package init(name: String, kind: UnitKind) {
    self.name = name
    self.kind = kind
  }

  package var unitCount: Int { matrices.first?.matrix.unitCount ?? 0 }

  /// - Throws: `invalidShape` for another number of units; `duplicateTensor`.
  package mutating func append(_ matrix: UnitMatrix, key: String) throws(RallyError) {
    guard matrices.isEmpty || matrix.unitCount == unitCount else {
      throw RallyError(
        .invalidShape, matrix.tensor.name.quoted, expected: "\(unitCount) units, as \(name) has", found: "\(matrix.unitCount)")
    }
    guard !matrices.contains(where: { $0.key == key }) else {
      throw RallyError(.duplicateTensor, matrix.tensor.name.quoted, expected: "one of this name in \(name)", found: "two")
    }
    matrices.append((key, matrix))
  }

  /// Takes the matrices of another set, which has the same units.
  package mutating func merge(_ other: UnitSet) {
    matrices += other.matrices.map { ("\(other.name).\($0.key)", $0.matrix) }
  }

  /// Differs where the first matrix differs.
  package var digest: UInt64 {
    var digest = Digest()
    _ = matrices.first?.matrix.tensor.examine(&digest)
    return digest.value
  }
}
