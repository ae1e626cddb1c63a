import CRally
import Curation
import Files
import Glibc
import Rally

/// What a `rally_distribution *` stands for. Reads share what a write leaves behind; both take turns.
final class DistributionHandle: Sendable {
  static let table = HandleTable<DistributionHandle>("distribution", tag: 4)

  private struct State {
    var distribution: Distribution
    /// Made by the first read after a write.
    var ranks: ScoreRanks?
  }

  let label: CText
  private let state: ForkSafe<State>

  init(_ distribution: Distribution) {
    label = CText(distribution.label)
    state = ForkSafe(State(distribution: distribution))
  }

  var distribution: Distribution { state.withLock(\.distribution) }

  func change(_ body: (inout Distribution) throws(RallyError) -> Void) throws(RallyError) {
    try state.withLock { (state) throws(RallyError) in
      try body(&state.distribution)
      state.ranks = nil
    }
  }

  func ranks() throws(RallyError) -> ScoreRanks {
    try state.withLock { (state) throws(RallyError) in
      if let ranks = state.ranks { return ranks }
      let ranks = try state.distribution.ranks()
      state.ranks = ranks
      return ranks
    }
  }
}
