public enum FinishReason: Sendable {
  /// A stop token or a stop string.
  case stop
  /// As many tokens as were asked for.
  case limit
  /// As many as the model's context, or the engine's cache, holds.
  case contextFull
  case cancelled
  /// The request's own time was up.
  case deadline
}
