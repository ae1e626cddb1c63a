import CKernels

/// Changes of element type. Buffers may not overlap.
public enum Conversion {
  /// bfloat16 bits to f32, exact.
  public static func bf16(_ x: UnsafePointer<UInt16>, to out: UnsafeMutablePointer<Float>, count: Int) {
    unsafe rk_bf16_to_f32(x, out, count)
  }

  /// IEEE binary16 bits to f32, exact.
  public static func f16(_ x: UnsafePointer<UInt16>, to out: UnsafeMutablePointer<Float>, count: Int) {
    unsafe rk_f16_to_f32(x, out, count)
  }

  /// f32 to bfloat16 bits, to nearest, ties to even; NaN stays NaN.
  public static func f32(_ x: UnsafePointer<Float>, toBF16 out: UnsafeMutablePointer<UInt16>, count: Int) {
    unsafe rk_f32_to_bf16(x, out, count)
  }

  /// One row of an int8 matrix: the rule of `docs/format.md`, for weights that are stored and for those that are
  /// made at open. Finite numbers only.
  ///
  /// - Parameters:
  ///   - scales: [groupCount], of each group of inputs `max |x| / 127`, or 1 for zeros.
  ///   - groupCount: a divisor of `count`.
  public static func f32(
    _ x: UnsafePointer<Float>, toInt8 out: UnsafeMutablePointer<Int8>, scales: UnsafeMutablePointer<Float>,
    groupCount: Int, count: Int
  ) {
    let width = count / groupCount
    for group in 0..<groupCount {
      unsafe scales[group] = rk_quantize_row(x + group * width, out + group * width, width)
    }
  }
}
