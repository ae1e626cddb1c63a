/// Some matrices of two models that share their hidden units, and how those match.
public struct LineageEntry: Sendable {
  /// Of the matrix in A, or of the set.
  public let name: String
  /// The set that the matrix belongs to.
  public let setName: String
  /// Units that were compared, of as many as there are.
  public let unitCount: Int
  public let totalUnitCount: Int
  public let match: UnitMatch
}

/// What a lineage test found.
public struct LineageReport: Sendable {
  /// One per matrix. Those of one set are not independent of each other.
  public let tensors: [LineageEntry]
  /// One per set of units, each independent of the others if the models are.
  public let sets: [LineageEntry]
  /// Of the output head, apart from all else; nil where there is none.
  public let head: LineageEntry?
  /// Of all sets, by Fisher's method.
  public let p: Double
  /// ρ of all sets, each counted by the units that were compared.
  public let effect: Double
  public let verdict: LineageVerdict
  public let permutationCount: Int
  public let seed: UInt64
}
