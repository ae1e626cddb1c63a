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

  public init(headCount: Int, groupCount: Int, headWidth: Int, scale: Float? = nil) {
    precondition(groupCount > 0 && headCount % groupCount == 0 && headWidth > 0)
    self.headCount = headCount
    self.groupCount = groupCount
    self.headWidth = headWidth
    self.scale = scale ?? 1 / Float(headWidth).squareRoot()
  }

  /// Floats of one cached key (or value) of all heads: G·K.
  public var entryWidth: Int { groupCount * headWidth }

  /// Floats of scratch for a call with `rows` rows.
  public func scratchCount(rows: Int) -> Int { rk_attention_scratch(rows, headCount, groupCount) }
}

/// The cached keys and values of one sequence, in pages.
///
/// Page p holds entries p·`pageEntries` and up: [G, 2, …] f32, for every head its keys [K, pageEntries], then its values
/// [pageEntries, K]. The pages must stay in place for the duration of a call.
@safe public struct KeyValuePages {
  public static let pageEntries = rk_attention_page

  @unsafe public var pages: UnsafePointer<UnsafePointer<Float>?>

  public init(pages: UnsafePointer<UnsafePointer<Float>?>) { unsafe self.pages = pages }

  /// Floats of a page for entries of `entryWidth` = G·K floats.
  public static func pageFloatCount(entryWidth: Int) -> Int { 2 * pageEntries * entryWidth }

  /// Writes key and value [G·K] of one token as entry `place` of a page.
  public static func store(
    key: UnsafePointer<Float>, value: UnsafePointer<Float>, in page: UnsafeMutablePointer<Float>, place: Int,
    shape: AttentionShape
  ) {
    unsafe rk_attention_store(page, place, key, value, shape.groupCount, shape.headWidth)
  }

  /// Copies entry `place` of a page to the same place of another.
  public static func copy(
    from source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, place: Int, shape: AttentionShape
  ) {
    unsafe rk_attention_copy(source, target, place, shape.groupCount, shape.headWidth)
  }

  /// Reads them back.
  public static func load(
    key: UnsafeMutablePointer<Float>, value: UnsafeMutablePointer<Float>, from page: UnsafePointer<Float>, place: Int,
    shape: AttentionShape
  ) {
    unsafe rk_attention_load(page, place, key, value, shape.groupCount, shape.headWidth)
  }
}

/// Softmax attention over paged keys and values.
public enum Attention {
  /// Rows of one sequence that share the reading of keys and values, from a further cache for the first of them only.
  public static let tileRows = 32

  /// out[h] = Σ_t softmax_t(scale · q[h]·k_t) · v_t over the entries firsts[row] ≤ t < lengths[row].
  ///
  /// Causal attention gives row i its position + 1 (or its rank among the selected tokens + 1), bidirectional
  /// attention gives every row the same length, and a sliding window moves the first. A row's result is the same bits whatever the other rows, the
  /// pages and the groups of the call. A NaN among what a row sees makes its result NaN.
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
      q, qStride, out, outStride, rows, firsts, lengths, cache.pages, shape.headCount, shape.groupCount,
      shape.headWidth, groups.lowerBound, groups.count, shape.scale, scratch)
  }
}
