import CKernels

/// Softmax attention of rows over their own keys and values in bf16, where the processor multiplies bf16 itself.
///
/// Keys and values are rounded and put in order by each call, so a call should have many rows.
public enum BF16Attention {
  /// Whether this processor has it at all; `BF16Method.best` says whether it is faster.
  public static var isAvailable: Bool { BF16Method.native.isAvailable }

  /// Floats of scratch for a call whose rows see at most `entries` entries together.
  public static func scratchCount(entries: Int, headWidth: Int) -> Int {
    isAvailable ? rk_attention_bf16_scratch(entries, headWidth) : 0
  }

  /// out[h] = Σ_t softmax_t(scale · q[h]·k_t) · v_t over the entries firsts[row] ≤ t < lengths[row], for the query heads of one
  /// key/value head.
  ///
  /// q, k, v and the weights of the softmax are rounded to bf16, sums are f32. A row's result is the same bits whatever the other
  /// rows of the call, as long as all entries are finite; a NaN among what a row sees makes its result NaN.
  ///
  /// - Parameters:
  ///   - q: [rows, heads·K] f32, `qStride` floats from row to row, already rotated.
  ///   - k, v: [entries, K] f32, `stride` floats from entry to entry.
  ///   - firsts: [rows], each ≥ 0; nil for 0 everywhere.
  ///   - lengths: [rows], each ≥ 0; no entry gives a row of zeros.
  ///   - heads: query heads of the key/value head.
  ///   - scale: > 0.
  ///   - scratch: `scratchCount` floats, one stretch per worker.
  ///   - out: [rows, heads·K]; may not overlap the others.
  /// - Complexity: 4 · Σ (lengths − firsts) · heads · K operations; allocates nothing.
  public static func attend(
    _ q: UnsafePointer<Float>, stride qStride: Int, keys k: UnsafePointer<Float>, values v: UnsafePointer<Float>, stride: Int,
    rows: Int, firsts: UnsafePointer<Int32>? = nil, lengths: UnsafePointer<Int32>, heads: Int, headWidth: Int, scale: Float,
    scratch: UnsafeMutablePointer<Float>, into out: UnsafeMutablePointer<Float>, stride outStride: Int
  ) {
    precondition(isAvailable)
    unsafe rk_attention_bf16(
      q, qStride, k, v, stride, out, outStride, rows, firsts, lengths, heads, headWidth, scale, scratch)
  }
}
