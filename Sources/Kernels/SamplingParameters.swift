public import Files
import Glibc

/// How the next token is drawn.
///
/// Filters apply in llama.cpp's order, each to what the one before left: top-k, top-p, min-p, then the
/// temperature reshapes what remains. So top-p and min-p see the model's own probabilities.
public struct SamplingParameters: Sendable, Equatable {
  /// 0: the most likely token, lowest id on ties; nothing is drawn.
  public var temperature: Float = 1
  /// Keep the k most likely; 0 keeps all.
  public var topK: Int = 0
  /// Keep the fewest most likely tokens whose probabilities add up to at least this; 1 keeps all.
  public var topP: Float = 1
  /// Keep tokens at least this fraction as likely as the most likely one; 0 keeps all.
  public var minP: Float = 0
  /// Of the request's own stream of random numbers.
  public var seed: UInt64 = 0

  public init() {}

  /// - Throws: `invalidArgument` that names the first parameter out of range.
  public func validate() throws(RallyError) {
    func require(_ holds: Bool, _ name: String, _ range: String, _ found: String) throws(RallyError) {
      if !holds { throw RallyError(.invalidArgument, name, expected: range, found: found) }
    }
    try require(temperature.isFinite && temperature >= 0, "temperature", "a finite number ≥ 0", "\(temperature)")
    try require(topK >= 0, "top_k", "≥ 0", "\(topK)")
    try require(topP > 0 && topP <= 1, "top_p", "0 < top_p ≤ 1", "\(topP)")
    try require(minP >= 0 && minP <= 1, "min_p", "0…1", "\(minP)")
  }
}
