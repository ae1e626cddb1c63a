import CKernels
package import Tensors

/// Normalisation of rows. Statistics in f32, 1/√ exact. `out` may be `x`.
public enum Norm {
  /// y = w · x / √(mean(x²) + eps) (Zhang & Sennrich 2019; Llama's RMSNorm).
  ///
  /// - Parameters:
  ///   - x: [rows, width] f32, `stride` floats from row to row.
  ///   - weight: [width] f32.
  ///   - out: [rows, width] f32.
  public static func rms(
    _ x: UnsafePointer<Float>, stride: Int, weight: UnsafePointer<Float>, epsilon: Float,
    into out: UnsafeMutablePointer<Float>, stride outStride: Int, rows: Int, width: Int
  ) {
    unsafe rk_rms_norm(x, stride, weight, epsilon, out, outStride, rows, width)
  }

  /// y = w · (x − mean) / √(variance + eps) + b, biased variance (Ba et al. 2016; PyTorch's LayerNorm).
  ///
  /// - Parameter bias: [width] f32, or nil for none. The others as in `rms`.
  public static func layer(
    _ x: UnsafePointer<Float>, stride: Int, weight: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    epsilon: Float, into out: UnsafeMutablePointer<Float>, stride outStride: Int, rows: Int, width: Int
  ) {
    unsafe rk_layer_norm(x, stride, weight, bias, epsilon, out, outStride, rows, width)
  }

  /// One norm of a model.
  @safe package struct Parameters {
    let weight: UnsafePointer<Float>
    let bias: UnsafePointer<Float>?
    let epsilon: Float
    let isCentred: Bool

    /// That of `rms`; weight [width].
    @unsafe package static func rms(weight: UnsafePointer<Float>, epsilon: Float) -> Parameters {
      unsafe Parameters(weight: weight, bias: nil, epsilon: epsilon, isCentred: false)
    }

    /// That of `layer`; weight and bias [width].
    @unsafe package static func layer(weight: UnsafePointer<Float>, bias: UnsafePointer<Float>?, epsilon: Float) -> Parameters {
      unsafe Parameters(weight: weight, bias: bias, epsilon: epsilon, isCentred: true)
    }

    /// out = norm(x), row by row.
    package func apply(to x: FloatRows, into out: FloatRows) {
      if isCentred {
        unsafe Norm.layer(
          x.base, stride: x.stride, weight: weight, bias: bias, epsilon: epsilon, into: out.base, stride: out.stride,
          rows: x.rowCount, width: x.width)
      } else {
        unsafe Norm.rms(
          x.base, stride: x.stride, weight: weight, epsilon: epsilon, into: out.base, stride: out.stride, rows: x.rowCount,
          width: x.width)
      }
    }
  }
}
