import Files

/// A view of `[rowCount, width]` f32 values, row-major, `stride` floats from one row to the next.
///
/// Views are how layers hand buffers to kernels. A view does not own its memory: it is made for one
/// step from a `FloatStorage` that outlives the step.
@safe
public struct FloatRows: @unchecked Sendable {  // read and written in disjoint rows by the workers of one step
  @unsafe public let base: UnsafeMutablePointer<Float>
  public let rowCount: Int
  public let width: Int
  public let stride: Int

  @unsafe
  public init(base: UnsafeMutablePointer<Float>, rowCount: Int, width: Int, stride: Int) {
    unsafe self.base = base
    self.rowCount = rowCount
    self.width = width
    self.stride = stride
  }

  /// The rows of `range`, which lies inside this view.
  public func rows(_ range: Range<Int>) -> FloatRows {
    precondition(range.lowerBound >= 0 && range.upperBound <= rowCount)
    return unsafe FloatRows(
      base: base + range.lowerBound * stride, rowCount: range.count, width: width, stride: stride)
  }

  /// The columns of `range` of every row.
  public func columns(_ range: Range<Int>) -> FloatRows {
    precondition(range.lowerBound >= 0 && range.upperBound <= width)
    return unsafe FloatRows(
      base: base + range.lowerBound, rowCount: rowCount, width: range.count, stride: stride)
  }

  public subscript(row: Int, column: Int) -> Float {
    get {
      precondition(row >= 0 && row < rowCount && column >= 0 && column < width)
      return unsafe base[row * stride + column]
    }
    nonmutating set {
      precondition(row >= 0 && row < rowCount && column >= 0 && column < width)
      unsafe base[row * stride + column] = newValue
    }
  }

  /// The address of the first value of `row`.
  @unsafe
  public func pointer(row: Int) -> UnsafeMutablePointer<Float> { unsafe base + row * stride }
}
