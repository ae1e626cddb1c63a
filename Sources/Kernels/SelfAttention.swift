import CKernels
public import Tensors

/// Softmax attention of rows over their own keys and values, on processors with vectors of 512 bits.
///
/// Keys and values are rounded and put in order by each call, so a call should have many rows.
public enum SelfAttention: Sendable, CaseIterable {
  case f32
  /// Where the processor multiplies bf16 itself.
  case bf16

  /// The best for a model whose products are in `dataType`: bf16 where weights are rounded anyway and it is faster. nil where this
  /// processor has none.
  public static func best(for dataType: DataType) -> SelfAttention? {
    let best: SelfAttention = dataType != .f32 && BF16Method.best == .native ? .bf16 : .f32
    return best.isAvailable ? best : nil
  }

  /// Whether this processor has it at all.
  public var isAvailable: Bool {
    _ = InstructionSet.limit
    return rk_has_self_attention(code)
  }

  private var code: rk_self_attention_type { self == .bf16 ? rk_self_attention_bf16 : rk_self_attention_f32 }

  /// Floats of scratch for a call whose rows see at most `entries` entries together.
  public func scratchCount(entries: Int, headWidth: Int) -> Int { rk_self_attention_scratch(code, entries, headWidth) }

  /// out[h] = Σ_t softmax_t(scale · q[h]·k_t) · v_t over the entries firsts[row] ≤ t < lengths[row], for the query heads of one
  /// key/value head.
  ///
  /// In bf16 q, k, v and the weights of the softmax are rounded; sums are f32. A row's result is the same bits whatever the other
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
  public func attend(
    _ q: UnsafePointer<Float>, stride qStride: Int, keys k: UnsafePointer<Float>, values v: UnsafePointer<Float>, stride: Int,
    rows: Int, firsts: UnsafePointer<Int32>? = nil, lengths: UnsafePointer<Int32>, heads: Int, headWidth: Int, scale: Float,
    scratch: UnsafeMutablePointer<Float>, into out: UnsafeMutablePointer<Float>, stride outStride: Int
  ) {
    precondition(isAvailable)
    unsafe rk_self_attention(
      code, q, qStride, k, v, stride, out, outStride, rows, firsts, lengths, heads, headWidth, scale, scratch)
  }
}
