import Engine
import Execution
import Kernels
import Models

/// How much rows would pull a student from its base towards a teacher, one number each per row.
public struct ExposureScores: Sendable, Equatable {
  /// Σ over the sampled tokens of (p_T − p₀) · (z_T − z₀) = KL(p_T‖p₀) + KL(p₀‖p_T), in nats: the first-order pull of
  /// distilling the teacher on the row. 0 or more.
  public internal(set) var divergence: [Double] = []
  /// Σ log p_T(y) − log p₀(y), in nats: above 0 where the teacher finds the row likelier.
  public internal(set) var logRatio: [Double] = []
  /// Tokens that were counted.
  public internal(set) var tokenCounts: [Int] = []
}
