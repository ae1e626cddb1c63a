import Engine
import Execution
import Models

/// How far the tokens of a row may go, from its beginning to its end.
struct RowPolicy {
  private var policy: DepthPolicy
  /// First tokens that may leave a looped model, by row, or one for all.
  private let starts: [Int]
  private var rule: ModelDescription.Exit.Rule?
  private(set) var steering: DepthSteering?

  var limit: Int { Int(policy.limit) }

  init(
    _ selection: Selection = .threshold, limit: Int32, _ exit: ExitPolicy? = nil, from starts: [Int] = [],
    _ steering: DepthSteering? = nil
  ) {
    policy = DepthPolicy(limit: limit)
    policy.selection = selection
    policy.exit = exit
    self.starts = starts
    self.steering = steering
  }

  /// That of one row, at its beginning.
  func of(_ row: Int, _ info: ModelInfo) -> RowPolicy {
    var result = self
    result.policy.exit?.firstPosition = starts.count > 1 ? starts[row] : starts.first ?? 0
    result.rule = info.exit?.rule
    return result
  }

  /// Of the next piece.
  var next: DepthPolicy { policy.steered(by: steering, rule) }

  /// Takes in the depths of a piece; with steering a step is one piece.
  mutating func observe(_ depths: [Int32]) {
    guard var current = steering else { return }
    let first = policy.exit?.firstPosition ?? 0
    for depth in depths { current.observe(depth, counts: current.count >= first) }
    steering = current
  }
}
