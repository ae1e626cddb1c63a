import CKernels

/// The cached keys and values of one sequence, in pages.
///
/// Page p holds entries p·`pageEntries` and up: [G, 2, …], for every head its keys [K, pageEntries], then its values
/// [pageEntries, K], and after either of them the scales of int8. The pages must stay in place for the duration of a call.
@safe public struct KeyValuePages {
  public static let pageEntries = rk_attention_page

  @unsafe public var pages: UnsafePointer<UnsafeRawPointer?>

  public init(pages: UnsafePointer<UnsafeRawPointer?>) { unsafe self.pages = pages }

  /// Writes key and value [G·K] of one token, rounded, as entry `place` of a page.
  public static func store(
    key: UnsafePointer<Float>, value: UnsafePointer<Float>, in page: UnsafeMutableRawPointer, place: Int,
    shape: AttentionShape
  ) {
    unsafe rk_cache_store(shape.cacheType.code, page, place, key, value, shape.groupCount, shape.headWidth)
  }

  /// Copies entry `place` of a page to the same place of another.
  public static func copy(
    from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, place: Int, shape: AttentionShape
  ) {
    unsafe rk_cache_copy(shape.cacheType.code, source, target, place, shape.groupCount, shape.headWidth)
  }

  /// Reads key and value as they are kept, `shape.entryByteCount` bytes each.
  public static func read(
    key: UnsafeMutableRawPointer, value: UnsafeMutableRawPointer, from page: UnsafeRawPointer, place: Int,
    shape: AttentionShape
  ) {
    unsafe rk_cache_read(shape.cacheType.code, page, place, key, value, shape.groupCount, shape.headWidth)
  }

  /// Writes back what `read` gave.
  public static func write(
    key: UnsafeRawPointer, value: UnsafeRawPointer, in page: UnsafeMutableRawPointer, place: Int, shape: AttentionShape
  ) {
    unsafe rk_cache_write(shape.cacheType.code, page, place, key, value, shape.groupCount, shape.headWidth)
  }
}
