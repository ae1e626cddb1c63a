import CKernels
import Glibc

/// Probabilities from logits [V] f32.
public enum LogProbability {
  /// log Σ exp(x), the maximum subtracted first. −∞ for no element, NaN for a NaN.
  public static func logSumExp(_ logits: UnsafePointer<Float>, count: Int) -> Float {
    unsafe rk_log_sum_exp(logits, count)
  }

  /// log softmax(logits)[target]; `target` in `0 ..< count`.
  public static func of(_ target: Int, logits: UnsafePointer<Float>, count: Int) -> Float {
    precondition(target >= 0 && target < count)
    return unsafe logits[target] - rk_log_sum_exp(logits, count)
  }

  /// Index of the largest logit, the lowest on ties, NaN ignored; 0 when there is none.
  public static func argmax(_ logits: UnsafePointer<Float>, count: Int) -> Int {
    unsafe rk_argmax(logits, count)
  }

  /// The Jeffreys divergence KL(p‖q) + KL(q‖p) of p = softmax(x) and q = softmax(y), and log p − log q of `target`.
  ///
  /// - Parameters:
  ///   - x: [count] f32
  ///   - y: [count] f32
  ///   - target: in `0 ..< count`.
  public static func compare(
    _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, count: Int, target: Int
  ) -> (divergence: Float, logRatio: Float) {
    precondition(target >= 0 && target < count)
    let (xSum, ySum) = unsafe (rk_log_sum_exp(x, count), rk_log_sum_exp(y, count))
    return unsafe (rk_jeffreys(x, xSum, y, ySum, count), (x[target] - xSum) - (y[target] - ySum))
  }

  /// x ← softmax(x) in place.
  public static func softmax(_ x: UnsafeMutablePointer<Float>, count: Int) {
    unsafe rk_softmax(x, count)
  }
}

/// log Σ exp over a vocabulary that comes in chunks. The chunks' bounds are part of the result's last bits:
/// keep them fixed.
public struct ChunkedLogSumExp: Sendable {
  private var largest = -Float.infinity
  private var sum: Float = 0

  public init() {}

  /// Takes in the next `count` logits.
  public mutating func add(_ logits: UnsafePointer<Float>, count: Int) {
    let here = unsafe rk_max(logits, count)
    guard here > -.infinity else {
      // Nothing but −∞ adds nothing; a NaN must still show.
      if count > 0 { unsafe sum += rk_sum_exp(logits, count, 0) }
      return
    }
    if here > largest {
      sum *= expf(largest - here)
      largest = here
    }
    unsafe sum += rk_sum_exp(logits, count, largest)
  }

  public var value: Float { largest + logf(sum) }
}
