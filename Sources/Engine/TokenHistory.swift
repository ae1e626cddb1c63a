import Execution
import Kernels
import Models

/// How often tokens occurred, for the penalties.
struct TokenHistory {
  /// Times that each known token was generated.
  private(set) var counts: [Int32: Int32]

  init(_ prompt: [Int32], limit: Int) {
    counts = Dictionary(minimumCapacity: prompt.count + min(limit, 4096))
    for token in prompt { counts[token] = 0 }
  }

  mutating func append(_ token: Int32) { counts[token, default: 0] += 1 }
}
