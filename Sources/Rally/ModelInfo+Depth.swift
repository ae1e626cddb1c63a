import Execution
import Models
import Tensors

extension ModelInfo {
  /// The number of recursions a token may run.
  /// - Throws: `invalidArgument`.
  func depthLimit(_ wanted: Int?) throws(RallyError) -> Int32 {
    guard let wanted else { return Int32(recursionCount) }
    guard wanted >= 1 else {
      throw RallyError(
        .invalidArgument, "max_depth", expected: "at least 1, or 0 for the model's own number", found: "\(wanted)")
    }
    return Int32(min(wanted, recursionCount))
  }

  /// What steers a sequence to a mean depth; nil without a wish.
  /// - Throws: `invalidArgument`; `unsupported` for a model without a router.
  func depthSteering(_ target: Double?) throws(RallyError) -> DepthSteering? {
    guard let target else { return nil }
    guard target.isFinite, target >= 1, target <= Double(recursionCount) else {
      throw RallyError(
        .invalidArgument, "target_depth", expected: "a mean depth in [1, \(recursionCount)], or 0 for none",
        found: "\(target)")
    }
    guard routing != .none else {
      throw RallyError(
        .unsupported, "target_depth", expected: "a model with a router", found: "'\(name)', which has none",
        remedy: "use max_depth")
    }
    // Scores of an expert router are logits, a few units apart; a token router's are probabilities.
    return DepthSteering(
      target: Float(target), natural: Float(naturalDepth), recursionCount: recursionCount,
      scale: routing == .expert ? 1 : 1 / 16)
  }
}
