import CKernels
package import Tensors

/// Moves and sums of whole rows, [·, width] f32 with `stride` floats from row to row.
/// Indices are row numbers, within the buffer they index. Buffers may not overlap.
public enum Rows {
  /// x += y, `count` elements.
  public static func add(_ y: UnsafePointer<Float>, to x: UnsafeMutablePointer<Float>, count: Int) {
    unsafe rk_add(x, y, count)
  }

  /// x += y, both without gaps between their rows.
  package static func add(_ y: FloatRows, to x: FloatRows) {
    precondition(x.stride == x.width && y.stride == y.width && x.width == y.width && x.rowCount == y.rowCount)
    unsafe add(y.base, to: x.base, count: x.rowCount * x.width)
  }

  /// x *= factor, `count` elements.
  public static func scale(_ x: UnsafeMutablePointer<Float>, by factor: Float, count: Int) {
    unsafe rk_scale(x, factor, count)
  }

  /// h[indices[i]] += gains[i] · y[i]: the gated sum of a recursion. `gains` nil adds y as it is.
  public static func scatterAdd(
    _ y: UnsafePointer<Float>, stride: Int, gains: UnsafePointer<Float>?, to h: UnsafeMutablePointer<Float>,
    stride hStride: Int, indices: UnsafePointer<Int32>, rows: Int, width: Int
  ) {
    unsafe rk_scatter_add_rows(h, hStride, indices, gains, y, stride, rows, width)
  }

  /// out[i] = x[indices[i]].
  public static func gather(
    _ x: UnsafePointer<Float>, stride: Int, indices: UnsafePointer<Int32>, into out: UnsafeMutablePointer<Float>,
    stride outStride: Int, rows: Int, width: Int
  ) {
    unsafe rk_gather_rows(x, stride, indices, out, outStride, rows, width)
  }

  /// out[indices[i]] = x[i], in the order of i.
  public static func scatter(
    _ x: UnsafePointer<Float>, stride: Int, into out: UnsafeMutablePointer<Float>, stride outStride: Int,
    indices: UnsafePointer<Int32>, rows: Int, width: Int
  ) {
    unsafe rk_scatter_rows(x, stride, indices, out, outStride, rows, width)
  }

  /// out [width] = mean of `rows` ≥ 1 rows, summed from row 0 upward.
  public static func mean(
    _ x: UnsafePointer<Float>, stride: Int, into out: UnsafeMutablePointer<Float>, rows: Int, width: Int
  ) {
    unsafe rk_mean_rows(x, stride, out, rows, width)
  }

  /// Σ x·w over `count` elements, in an order that depends on `count` alone. 0 for none.
  public static func dot(_ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, count: Int) -> Float {
    unsafe rk_dot(x, w, count)
  }

  /// The first element that is NaN or infinite; nil when all are finite.
  public static func firstNotFinite(_ x: UnsafePointer<Float>, count: Int) -> Int? {
    let index = unsafe rk_first_not_finite(x, count)
    return index < 0 ? nil : index
  }
}
