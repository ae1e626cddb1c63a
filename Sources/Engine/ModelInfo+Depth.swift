package import Execution
package import Files
import Glibc
package import Models

extension ModelInfo {
  /// The number of recursions a token may run.
  /// - Throws: `invalidArgument`.
  package func depthLimit(_ wanted: Int?) throws(RallyError) -> Int32 {
    let most = exit?.fixedDepth ?? recursionCount
    guard let wanted else { return Int32(most) }
    guard wanted >= 1 else {
      throw RallyError(
        .invalidArgument, "max_depth", expected: "at least 1, or 0 for the model's own number", found: "\(wanted)")
    }
    return Int32(min(wanted, most))
  }

  /// What steers a sequence to a mean depth; nil where none is asked for.
  /// - Throws: `invalidArgument`; `unsupported` for a model without a router or a rule for exits.
  package func depthSteering(_ target: Double?, _ options: ExitOptions = ExitOptions()) throws(RallyError) -> DepthSteering? {
    guard let target else { return nil }
    guard target.isFinite, target >= 1, target <= Double(recursionCount) else {
      throw RallyError(
        .invalidArgument, "target_depth", expected: "a mean depth in [1, \(recursionCount)], or 0 for none",
        found: "\(target)")
    }
    guard routing != .none || (exit != nil && exit?.fixedDepth == nil) else {
      throw RallyError(
        .unsupported, "target_depth", expected: "a model with a router or exits", found: "'\(name)', which has neither",
        remedy: "use max_depth")
    }
    // What the file records belongs to its own threshold.
    let natural = options.threshold == nil ? naturalDepth : Double(recursionCount + 1) / 2
    // Scores of an expert router are logits, a few units apart; a token router's are probabilities.
    return DepthSteering(
      target: Float(target), natural: Float(natural), recursionCount: recursionCount,
      scale: routing == .token ? 1 / 16 : 1)
  }
}

// MARK: Exits

extension ModelInfo {
  /// When tokens leave; nil for a model whose tokens all run the same recursions.
  ///
  /// - Parameter limit: recursions that a token may run.
  /// - Throws: `invalidArgument`; `unsupported` for options of exits where the model has none.
  package func exitPolicy(_ options: ExitOptions, limit: Int32) throws(RallyError) -> ExitPolicy? {
    if options.threshold != nil { try requireExit("exit_threshold") }
    if options.keyValues != nil { try requireExit("kv_policy") }
    if options.minimumDepth ?? 1 > 1 { try requireExit("min_depth") }
    if let threshold = options.threshold, !(threshold >= 0 && threshold.isFinite) {
      throw RallyError(
        .invalidArgument, "exit_threshold", expected: "a finite number of at least 0", found: "\(threshold)")
    }
    if let minimum = options.minimumDepth, !(1...Int(limit) ~= minimum) {
      throw RallyError(
        .invalidArgument, "min_depth", expected: "1 to \(limit), the recursions that a token may run", found: "\(minimum)")
    }
    guard let exit else { return nil }
    let keyValues = options.keyValues ?? exit.keyValues
    if let problem = keyValues.problem(untied: hasUntiedLayers) {
      throw RallyError(.invalidArgument, "kv_policy", expected: problem, found: keyValues.rawValue)
    }
    guard exit.fixedDepth == nil else { return nil }
    var policy = ExitPolicy(threshold: Float(options.threshold ?? exit.threshold), keyValues: keyValues)
    policy.minimum = Int32(options.minimumDepth ?? 1)
    return policy
  }

  /// - Throws: `unsupported`.
  package func requireExit(_ option: String) throws(RallyError) {
    guard exit == nil else { return }
    throw RallyError(
      .unsupported, option, expected: "a looped model with a rule for exits", found: "'\(name)', which has none",
      remedy: recursionCount > 1 ? "use max_depth" : "leave it out")
  }
}

extension DepthPolicy {
  /// The policy of the next piece of a sequence.
  ///
  /// Steering moves what a router's score must reach. Of a looped model it moves the threshold of exits, so that more is
  /// asked of a token that goes on: the hazard's on the scale of logits, that of the latent difference on a logarithmic one.
  /// A quarter of a router's steps suits both, whose scores are less far apart. At the ends nothing is left to the scores.
  package func steered(by steering: DepthSteering?, _ rule: ModelDescription.Exit.Rule?) -> DepthPolicy {
    var policy = self
    guard let steering else { return policy }
    guard let base = exit?.threshold, let rule else {
      policy.threshold = steering.threshold
      return policy
    }
    let shift = steering.threshold / 4
    switch rule {
    case .hazard:
      let start = base > 0 && base < 1 ? log(base / (1 - base)) : 0
      policy.exit?.threshold = steering.end.map { $0 < 0 ? 1 : 0 } ?? 1 / (1 + exp(shift - start))
    case .latentDifference:
      let start = base > 0 ? base : 0.03
      policy.exit?.threshold = steering.end.map { $0 < 0 ? 0 : .infinity } ?? start * exp(shift)
    }
    return policy
  }
}
