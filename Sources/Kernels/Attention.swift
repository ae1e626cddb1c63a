import CKernels

/// The sizes of an attention layer.
public struct AttentionShape: Sendable, Equatable {
  /// H: query heads, a multiple of `groupCount`.
  public var headCount: Int
  /// G: key/value heads; query head h reads key/value head h / (H/G).
  public var groupCount: Int
  /// K: floats per head. Any; multiples of 16 are fastest.
  public var headWidth: Int
  /// Multiplies every q·k; K^-0.5 unless the model says otherwise.
  public var scale: Float
  /// What keys and values are kept as.
  public var cacheType: CacheType

  public init(headCount: Int, groupCount: Int, headWidth: Int, scale: Float? = nil, cacheType: CacheType = .f32) {
    precondition(groupCount > 0 && headCount % groupCount == 0 && headWidth > 0)
    self.headCount = headCount
    self.groupCount = groupCount
    self.headWidth = headWidth
    self.scale = scale ?? 1 / Float(headWidth).squareRoot()
    self.cacheType = cacheType
  }

  /// Floats of a key, or of a value, of all heads: G·K.
  public var entryWidth: Int { groupCount * headWidth }
  /// Bytes of a key, or of a value, of all heads as it is kept.
  public var entryByteCount: Int { rk_cache_entry_bytes(cacheType.code, groupCount, headWidth) }
  /// Bytes of a page.
  public var pageByteCount: Int { rk_cache_page_bytes(cacheType.code, groupCount, headWidth) }

  /// Floats of scratch for a call with `rows` rows.
  public func scratchCount(rows: Int) -> Int { rk_attention_scratch(rows, headCount, groupCount) }
}

/// Softmax attention over paged keys and values.
public enum Attention {
  /// Rows of one sequence that share the reading of keys and values, from a further cache for the first of them only.
  public static let tileRows = 32

  /// out[h] = Σ_t softmax_t(scale · q[h]·k_t) · v_t over the entries firsts[row] ≤ t < lengths[row].
  ///
  /// Causal attention gives row i its position + 1 (or its rank among the selected tokens + 1), bidirectional
  /// attention gives every row the same length, and a sliding window moves the first. A row's result is the same bits whatever the other rows, the
  /// pages and the groups of the call, and those of f32 pages that hold the rounded keys and values. A NaN among what a row sees
  /// makes its result NaN.
  ///
  /// - Parameters:
  ///   - q: [rows, H·K] f32, `qStride` floats from row to row, already rotated.
  ///   - firsts: [rows], each ≥ 0; nil for 0 everywhere.
  ///   - lengths: [rows], each ≥ 0 and within the pages; no entry gives a row of zeros.
  ///   - groups: the key/value heads to compute; only their query heads are written. nil: all.
  ///   - scratch: `shape.scratchCount(rows:)` floats, one per worker.
  ///   - out: [rows, H·K]; may not overlap q.
  /// - Complexity: 4 · Σ (lengths − firsts) · H · K operations; allocates nothing.
  public static func attend(
    _ q: UnsafePointer<Float>, stride qStride: Int, rows: Int, firsts: UnsafePointer<Int32>? = nil,
    lengths: UnsafePointer<Int32>, over cache: KeyValuePages, shape: AttentionShape, groups: Range<Int>? = nil,
    scratch: UnsafeMutablePointer<Float>, into out: UnsafeMutablePointer<Float>, stride outStride: Int
  ) {
    let groups = groups ?? 0..<shape.groupCount
    unsafe rk_attention(
      shape.cacheType.code, q, qStride, out, outStride, rows, firsts, lengths, cache.pages, shape.headCount, shape.groupCount,
      shape.headWidth, groups.lowerBound, groups.count, shape.scale, scratch)
  }
}
