import CRally
import Rally

// The options of looped models' exits, between C and Swift.

extension ExitOptions {
  /// - Parameter threshold: −1 for the model's own; other wrong numbers are left to the engine to refuse.
  /// - Throws: `invalidArgument`.
  init(threshold: Double, minimumDepth: UInt32, _ policy: rally_kv_policy, _ name: String) throws(RallyError) {
    self.init()
    if threshold != -1 { self.threshold = threshold }
    if minimumDepth != 0 { self.minimumDepth = Int(minimumDepth) }
    keyValues =
      switch policy {
      case RALLY_KV_DEFAULT: nil
      case RALLY_KV_FULL: .full
      case RALLY_KV_LAST_EXITED: .lastExited
      case RALLY_KV_PROPAGATED: .propagated
      default:
        throw RallyError(.invalidArgument, name, expected: "a rally_kv_policy", found: "\(policy.rawValue)")
      }
  }
}

extension rally_kv_policy {
  init(_ policy: ModelDescription.KeyValuePolicy) {
    self =
      switch policy {
      case .full: RALLY_KV_FULL
      case .lastExited: RALLY_KV_LAST_EXITED
      case .propagated: RALLY_KV_PROPAGATED
      }
  }
}
