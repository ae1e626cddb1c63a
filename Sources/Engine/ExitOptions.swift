public import Models

/// When tokens leave a looped model before its last recursion: for models whose file has a rule for it (`ModelInfo.exit`).
///
/// What a token computes depends on its own sequence alone, whatever these say.
public struct ExitOptions: Sendable, Equatable {
  /// What the rule compares with, at least 0; nil for the file's own.
  ///
  /// The hazard rule lets a token leave where 1 − Π (1 − σ(z)) has reached it: 1 or more never, 0 after the first recursion.
  /// The latent difference does where ‖x − x before‖ / ‖x‖ is below it: 0 never.
  public var threshold: Double?
  /// Recursions that a token runs at least; nil for 1.
  public var minimumDepth: Int?
  /// What later tokens see of the recursions that a token did not run; nil for what the file says.
  public var keyValues: ModelDescription.KeyValuePolicy?

  public init() {}
}
