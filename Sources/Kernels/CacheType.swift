import CKernels

/// What keys and values are kept as.
public enum CacheType: String, Sendable, CaseIterable {
  case f32, bf16
  /// With a scale for each 32 channels of one head of one entry.
  case int8

  var code: rk_cache_type {
    switch self {
    case .f32: rk_cache_f32
    case .bf16: rk_cache_bf16
    case .int8: rk_cache_int8
    }
  }
}
