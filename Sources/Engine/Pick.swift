import Kernels

/// What was predicted for one sequence.
struct Pick {
  /// The row of the sequence's last token.
  var row: Int32 = 0
  var token: Int32 = 0
  var depth: Int32 = 0
  var logProbability: Float = 0
  var top: [TokenProbability] = []
  /// The request's own function wants no more tokens.
  var isRefused = false
  /// No token may follow.
  var isExhausted = false
}
