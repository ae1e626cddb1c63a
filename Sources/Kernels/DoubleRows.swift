import CKernels
public import Files
import Tensors

/// Rows of f64 in memory of their own, padded with zeros as `CrossProducts` wants them.
///
/// Filled by one thread and then only read.
public final class DoubleRows: @unchecked Sendable {
  public let rowCount: Int
  public let width: Int
  /// Rows and values of a row with the zeros after them.
  let paddedRowCount: Int
  let stride: Int
  private let storage: AlignedStorage<Double>

  /// Rows of zeros.
  ///
  /// - Throws: `outOfMemory` when the size overflows or the system has no such block.
  public init(rowCount: Int, width: Int) throws(RallyError) {
    guard let stride = Self.padded(width, to: Int(rk_cross_padding)),
      let paddedRowCount = Self.padded(rowCount, to: Int(rk_cross_rows)),
      case let (count, overflow) = stride.multipliedReportingOverflow(by: paddedRowCount), !overflow
    else {
      throw RallyError(.outOfMemory, "memory", expected: "\(rowCount) rows of \(width) numbers", found: "none so large")
    }
    self.rowCount = rowCount
    self.width = width
    self.stride = stride
    self.paddedRowCount = paddedRowCount
    storage = try AlignedStorage(zeroed: count)
  }

  private static func padded(_ count: Int, to multiple: Int) -> Int? {
    let (sum, overflow) = count.addingReportingOverflow(multiple - 1)
    return count >= 0 && !overflow ? sum / multiple * multiple : nil
  }

  @unsafe var base: UnsafeMutablePointer<Double> { unsafe storage.base }

  public subscript(row: Int, column: Int) -> Double {
    precondition(row >= 0 && row < rowCount && column >= 0 && column < width)
    return unsafe storage.base[row * stride + column]
  }

  /// Writes `count` values of a row from `column` on.
  @unsafe
  public func set(row: Int, column: Int, from values: UnsafePointer<Float>, count: Int) {
    precondition(row >= 0 && row < rowCount && column >= 0 && count >= 0 && count <= width - column)
    let target = unsafe storage.base + row * stride + column
    for index in 0..<count { unsafe target[index] = Double(values[index]) }
  }

  /// Row r becomes column r of `count` ≤ width rows of floats, and zeros.
  ///
  /// - Parameter values: [count, width ≤ rowCount], `stride` floats from row to row. A row that holds a NaN or an infinity
  ///   becomes zeros.
  @unsafe
  public func setColumns(from values: UnsafePointer<Float>, stride valueStride: Int, count: Int, width columns: Int) {
    precondition(count <= width && columns <= rowCount)
    for column in 0..<width {
      let source = unsafe values + min(column, count - 1) * valueStride
      let isUsed = unsafe column < count && rk_first_not_finite(source, columns) < 0
      for row in 0..<columns { unsafe storage.base[row * stride + column] = isUsed ? Double(source[row]) : 0 }
    }
  }

  /// Divides every row by its length; rows of zeros stay.
  public func normalize() {
    for row in 0..<rowCount {
      let values = unsafe storage.base + row * stride
      var sum = 0.0
      for index in 0..<width { unsafe sum += values[index] * values[index] }
      guard sum > 0 else { continue }
      let length = sum.squareRoot()
      for index in 0..<width { unsafe values[index] /= length }
    }
  }
}
