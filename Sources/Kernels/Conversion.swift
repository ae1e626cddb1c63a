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

  /// Finite f32 to IEEE binary16 bits, to nearest, ties to even; 65504 at most.
  public static func f32(_ x: UnsafePointer<Float>, toF16 out: UnsafeMutablePointer<UInt16>, count: Int) {
    unsafe rk_f32_to_f16(x, out, count)
  }

  /// One row of a q4 matrix, by the rule of `docs/format.md`. Finite numbers only.
  ///
  /// - Parameters:
  ///   - out: [count / 2] bytes.
  ///   - scales: [count / 32], numbers of f16.
  ///   - count: a multiple of 32.
  public static func f32(
    _ x: UnsafePointer<Float>, toQ4 out: UnsafeMutablePointer<UInt8>, scales: UnsafeMutablePointer<Float>, count: Int
  ) {
    let width = PackedMatrix.groupWidth
    unsafe withUnsafeTemporaryAllocation(of: Int8.self, capacity: width) { numbers in
      guard let numbers = numbers.baseAddress else { return }
      for group in 0..<count / width {
        unsafe scales[group] = rk_q4_scale(x + group * width)
        unsafe rk_q4_round(x + group * width, scales[group], numbers)
        unsafe rk_q4_store(numbers, out + group * width / 2)
      }
    }
  }

  /// The scale of one group of 32 finite numbers in q4, a number of f16.
  public static func q4Scale(_ x: UnsafePointer<Float>) -> Float { unsafe rk_q4_scale(x) }

  /// Numbers −8 … 7, a multiple of 32 of them, as q4 stores them.
  public static func int8(_ x: UnsafePointer<Int8>, toQ4 out: UnsafeMutablePointer<UInt8>, count: Int) {
    let width = PackedMatrix.groupWidth
    for start in stride(from: 0, to: count, by: width) { unsafe rk_q4_store(x + start, out + start / 2) }
  }

  /// What one row of q4 stands for.
  public static func q4(
    _ x: UnsafePointer<UInt8>, scales: UnsafePointer<Float>, to out: UnsafeMutablePointer<Float>, count: Int
  ) {
    let width = PackedMatrix.groupWidth
    for group in 0..<count / width {
      unsafe rk_q4_load(x + group * width / 2, scales[group], out + group * width)
    }
  }
}
