import Execution
import Rally

/// What one repetition took.
struct BenchSample {
  var seconds: Double
  /// Tokens that were computed in this time, over all sequences.
  var tokenCount: Int
  var work: EngineWork

  var tokensPerSecond: Double { Double(tokenCount) / max(seconds, 1e-9) }
}
