// What happens between the repetitions of a block, in models without a router: norm, adapter, exit.

extension ModelDescription {
  /// A looped model: each repetition goes on from the state of the one before.
  public struct Loop: Sendable, Equatable {
    /// The state that the first repetition starts from, and what a repetition takes in besides it.
    public enum Injection: Sendable, Equatable {
      /// The state after the first layers; nothing else is taken in.
      case none
      /// Each repetition sees A · [x ; e] (+ b), with e the state after the first layers.
      case concat(hasBias: Bool, initial: InitialState)
    }
    public enum InitialState: Sendable, Equatable {
      /// e itself.
      case embedding
      case zeros
      /// Normal numbers from seed, position and channel; see `SeededState`.
      case seeded(deviation: Double, seed: UInt64)
    }

    /// `norm.weight` after every repetition, the last included; the head sees that.
    public var normalizes: Bool
    public var injection: Injection
    public var exit: Exit?
  }

  /// How a token leaves a looped model before its last repetition.
  public struct Exit: Sendable, Equatable {
    public enum Rule: Sendable, Equatable {
      /// Leaves where 1 − Π (1 − σ(w · x + b)) has reached the threshold; 1 is never reached, 0 always.
      /// One gate for all repetitions, or one for each.
      case hazard(gates: Int)
      /// Leaves where ‖x − x before‖ / ‖x‖ is below the threshold; never below 0.
      case latentDifference
    }
    public var rule: Rule
    /// Where a request names none.
    public var threshold: Double
    /// The mean depth that `threshold` gives, where the file records it.
    public var naturalDepth: Double?
    /// All tokens run so many repetitions, and the rule is not asked.
    public var fixedDepth: Int?
    public var keyValues: KeyValuePolicy
  }

  /// What later tokens see of the repetitions that a token did not run.
  public enum KeyValuePolicy: String, Sendable, CaseIterable {
    /// Its own: all repetitions are computed, and the rule chooses which one is read.
    case full
    /// Those of the deepest repetition that it ran.
    case lastExited = "last_exited"
    /// With copies of the block that differ: projections, by the layers that it skipped, of the state that it left with.
    case propagated
  }
}
