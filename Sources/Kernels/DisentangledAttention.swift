import CKernels
import Glibc

/// DeBERTa's attention: content and distance as terms of their own (He et al. 2021, arXiv 2006.03654).
public enum DisentangledAttention {
  /// Which row of the tables of distances stands for a distance.
  public struct Buckets: Sendable, Equatable {
    /// P: the tables have 2P rows.
    public var count: Int
    /// M: distances beyond P / 2 share rows by their logarithm, up to M; 0: each has its own.
    public var longest: Int

    public init(count: Int, longest: Int) {
      self.count = count
      self.longest = longest
    }

    /// The row of `query − key`, in 0 ..< 2P. In the f32 arithmetic of `transformers`, each step rounded once.
    public subscript(distance: Int) -> Int {
      let middle = count / 2
      var size = Swift.abs(distance)
      if longest > 0, size > middle {
        let ratio = Self.log(Float(size) / Float(middle)) / Self.log(Float(Double(longest - 1) / Double(middle)))
        let bucket = (ratio * Float(middle - 1)).rounded(.up)
        size = bucket >= 0 && bucket < Float(2 * count) ? Int(bucket) + middle : 2 * count
      }
      return min(max((distance < 0 ? -size : size) + count, 0), 2 * count - 1)
    }

    /// Rows of the distances −(T − 1) … T − 1, never falling.
    public func table(tokenCount: Int) -> [Int32] { (1 - tokenCount..<tokenCount).map { Int32(self[$0]) } }

    private static func log(_ x: Float) -> Float { Float(Glibc.log(Double(x))) }
  }

  /// Floats of scratch that `attend` needs for rows of at most `tokenCount` tokens.
  public static func scratchCount(tokenCount: Int, headWidth: Int, buckets: Buckets) -> Int {
    Int(rk_disentangled_scratch(tokenCount, headWidth, min(2 * buckets.count, max(0, 2 * tokenCount - 1))))
  }

  /// One head over a whole row of T ≥ 1 tokens, out [T, K].
  ///
  /// - Parameters:
  ///   - q, k, v: [T, K] f32, `stride` floats from row to row; `out` aliases none of them.
  ///   - keyDistances, queryDistances: [2P, K] f32, `distanceStride` floats from row to row; nil without that term.
  ///   - buckets: `Buckets.table` of T.
  ///   - scratch: as many floats as `scratchCount` says.
  public static func attend(
    q: UnsafePointer<Float>, k: UnsafePointer<Float>, v: UnsafePointer<Float>, stride: Int, tokenCount: Int,
    headWidth: Int, keyDistances: UnsafePointer<Float>?, queryDistances: UnsafePointer<Float>?, distanceStride: Int,
    buckets: UnsafePointer<Int32>, scale: Float, into out: UnsafeMutablePointer<Float>, stride outStride: Int,
    scratch: UnsafeMutablePointer<Float>
  ) {
    unsafe rk_disentangled(
      q, k, v, stride, tokenCount, headWidth, keyDistances, queryDistances, distanceStride, buckets, scale, out,
      outStride, scratch)
  }
}
