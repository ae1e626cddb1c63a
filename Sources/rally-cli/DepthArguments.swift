import ArgumentParser
import Rally

/// How far tokens go through a model that can stop early.
struct DepthArguments: ParsableArguments {
  @Option(help: "Recursions that a token may run. (default: the model's own number)")
  var maxDepth: Int?

  @Option(help: "Mean depth that the model is steered to. (default: what it does by itself)")
  var targetDepth: Double?

  @Option(help: "Recursions that a token of a looped model runs at least. (default: 1)")
  var minDepth: Int?

  @Option(
    parsing: .unconditional,
    help: "What a looped model's rule for exits compares with, at least 0. (default: the model's own)")
  var exitThreshold: Double?

  @Option(
    parsing: .unconditional,
    help: "Tokens before this one run at full depth. (default: those of the prompt; in perplexity 0)")
  var exitFrom: Int?

  @Option(
    help: "What later tokens see of the recursions that a token did not run: full, last_exited or propagated. (default: the model's own)")
  var kvPolicy: KeyValuePolicy?

  /// What the model's file calls them.
  struct KeyValuePolicy: ExpressibleByArgument, CaseIterable {
    let policy: ModelDescription.KeyValuePolicy
    static let allCases = ModelDescription.KeyValuePolicy.allCases.map(Self.init)
    static let allValueStrings = ModelDescription.KeyValuePolicy.allCases.map(\.rawValue)

    init(policy: ModelDescription.KeyValuePolicy) { self.policy = policy }

    init?(argument: String) {
      guard let policy = ModelDescription.KeyValuePolicy(rawValue: argument) else { return nil }
      self.policy = policy
    }

    var defaultValueDescription: String { policy.rawValue }
  }

  func validate() throws {
    for (name, depth) in [("--max-depth", maxDepth), ("--min-depth", minDepth)] {
      if let depth, depth < 1 { throw ValidationError("\(name): expected at least 1, found \(depth)") }
    }
    if let exitThreshold, !(exitThreshold >= 0 && exitThreshold.isFinite) {
      throw ValidationError("--exit-threshold: expected a finite number of at least 0, found \(exitThreshold)")
    }
    if let exitFrom, exitFrom < 0 { throw ValidationError("--exit-from: expected at least 0, found \(exitFrom)") }
  }

  /// Nothing is asked for.
  var isEmpty: Bool {
    maxDepth == nil && targetDepth == nil && minDepth == nil && exitThreshold == nil && exitFrom == nil && kvPolicy == nil
  }

  /// Says it to a request.
  func set(_ request: inout GenerationRequest) {
    request.maximumDepth = maxDepth
    request.targetDepth = targetDepth
    request.exit = exit
    request.exitFrom = exitFrom
  }

  var exit: ExitOptions {
    var exit = ExitOptions()
    exit.threshold = exitThreshold
    exit.minimumDepth = minDepth
    exit.keyValues = kvPolicy?.policy
    return exit
  }
}
