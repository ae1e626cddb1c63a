import CKernels
public import Files
import Tensors

/// Every row of some matrices with every row of their partners: C_p = A_p B_pᵀ [h, h] for the parts p, f64.
///
/// The parts lie side by side, [h, h, parts], so that one permutation of the rows reads all of them at once. The same
/// bits for every number of threads.
public final class CrossProducts: @unchecked Sendable {  // only `add` writes
  /// h
  public let rowCount: Int
  public let partCount: Int
  private let stride: Int
  private let storage: AlignedStorage<Double>

  /// Rows of A that one worker takes: with 256 values of each they are half of a 256 KiB second-level cache.
  private static let rowsPerTask = 64

  /// - Parameters:
  ///   - rowCount: h ≥ 1
  ///   - partCount: at least 1.
  /// - Throws: `outOfMemory`.
  public init(rowCount: Int, partCount: Int) throws(RallyError) {
    precondition(rowCount > 0 && partCount > 0)
    let rows = (rowCount + Int(rk_cross_rows) - 1) / Int(rk_cross_rows) * Int(rk_cross_rows)
    let (stride, overflow) = rows.multipliedReportingOverflow(by: partCount)
    let (count, overflows) = stride.multipliedReportingOverflow(by: rows)
    guard !overflow, !overflows else {
      throw RallyError(.outOfMemory, "memory", expected: "\(partCount) tables of \(rowCount)²", found: "none so large")
    }
    self.rowCount = rowCount
    self.partCount = partCount
    self.stride = stride
    storage = try AlignedStorage(zeroed: count)
  }

  public subscript(row: Int, column: Int, part: Int) -> Double {
    precondition(row >= 0 && row < rowCount && column >= 0 && column < rowCount && part >= 0 && part < partCount)
    return unsafe storage.base[row * stride + column * partCount + part]
  }

  /// C_part += A Bᵀ.
  ///
  /// - Parameters:
  ///   - a: [h, width]
  ///   - b: [h, width]
  /// - Complexity: 2 · h² · width operations.
  public func add(_ a: DoubleRows, _ b: DoubleRows, part: Int, pool: WorkerPool) {
    precondition(a.rowCount == rowCount && b.rowCount == rowCount && a.width == b.width)
    precondition(part >= 0 && part < partCount)
    let rows = Self.rowsPerTask
    pool.parallelFor((a.paddedRowCount + rows - 1) / rows) { task, _ in
      let first = task * rows
      let count = min(rows, a.paddedRowCount - first)
      unsafe rk_cross_products(
        a.base + first * a.stride, count, a.stride, b.base, b.paddedRowCount, b.stride, a.stride,
        storage.base + first * stride + part, stride, partCount)
    }
  }

  /// Σ_i C_p[i, permutation[i]] of every part.
  ///
  /// - Parameters:
  ///   - permutation: [h], each in `0 ..< h`.
  ///   - traces: [parts]; overwritten.
  public func traces(_ permutation: [Int32], into traces: inout [Double]) {
    precondition(permutation.count == rowCount && traces.count == partCount)
    unsafe rk_permuted_traces(storage.base, stride, permutation, rowCount, partCount, &traces)
  }
}
