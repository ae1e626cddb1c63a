/// How a lineage test is run.
public struct LineageOptions: Sendable {
  /// R, random pairings that the true one is compared with.
  public var permutationCount = 9999
  /// Of the pairings; the same seed gives the same report.
  public var seed: UInt64 = 0
  /// 0 for as many as this process may use; without influence on the report.
  public var threads = 0
  /// Called with sets of units that were compared, and sets in all; false cancels.
  public var progress: (@Sendable (_ done: UInt64, _ total: UInt64) -> Bool)?

  public init() {}
}
