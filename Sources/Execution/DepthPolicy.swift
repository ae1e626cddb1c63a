import Models

/// How far tokens may go.
package struct DepthPolicy: Sendable {
  package var selection = Selection.threshold
  /// Recursions a token may run, at least 1.
  package var limit: Int32
  /// Added to what a router's score must reach for the token to go on; see `DepthSteering`.
  package var threshold: Float = 0
  /// Of looped models whose tokens may leave before the limit.
  package var exit: ExitPolicy?

  package init(limit: Int32) { self.limit = limit }
}
