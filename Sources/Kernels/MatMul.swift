import CKernels
public import Files
package import Tensors

/// Matrix products y = x · Wᵀ on the workers of one pool.
///
/// **Batch invariance**: a row of y is the same bits for every number of rows, place among them, thread
/// count and range of outputs. A product is cut into tiles of at most 64 rows times a panel of weights; each
/// is one serial call whose sums run over the inputs in a fixed order.
///
/// Owns what workers pass rows through. Allocates only when a call is larger than those before it. One thread
/// at a time; its pool's driver.
public final class MatMul {
  /// Rows per tile: five or more tiles of registers, which read a strip of weights from the first-level or
  /// second-level cache; and 512 rows still make 8 tiles.
  static let tileRows = 64
  /// Rows that a product takes at a time, a whole number of tiles: bounds what is converted, and x stays in the last cache.
  static let blockRows = 8 * tileRows

  let pool: WorkerPool
  /// Rows of x in the type that weights are multiplied in, [tiles · tileRows, inputs]; grows to the largest.
  var rowStorage: AlignedStorage<UInt8>
  /// Scales of int8 rows, and where their sums start, [blockRows, groups]; they grow to the most groups.
  var rowScales: AlignedStorage<Float>
  var rowStarts: AlignedStorage<Int32>

  /// - Throws: `outOfMemory`.
  public init(pool: WorkerPool) throws(RallyError) {
    self.pool = pool
    rowStorage = try AlignedStorage(count: 0)
    rowScales = try AlignedStorage(count: Self.blockRows)
    rowStarts = try AlignedStorage(count: Self.blockRows)
  }

  /// y = x · W[outputs]ᵀ + bias, for a matrix whose products convert rows, after an operation on x.
  ///
  /// - Parameters:
  ///   - x: [rows, inputs].
  ///   - operation: on each row of x, before it is converted. The others as below.
  package func multiply(
    _ x: FloatRows, after operation: RowOperation, by matrix: PackedMatrix, outputs: Range<Int>?, bias: UnsafePointer<Float>?,
    into y: FloatRows
  ) throws(RallyError) {
    precondition(matrix.convertsRows && x.width == matrix.inputs)
    unsafe try multiply(
      x.base, stride: x.stride, rows: x.rowCount, by: matrix, outputs: outputs, bias: bias, after: (operation, x), into: y.base,
      stride: y.stride)
  }

  /// y = x · W[outputs]ᵀ + bias.
  ///
  /// - Parameters:
  ///   - x: [rows, inputs] f32, `xStride` floats from row to row (≥ inputs). Any alignment.
  ///   - rows: ≥ 0; 0 does nothing.
  ///   - matrix: the weights.
  ///   - outputs: which of its outputs, bounded by sources (`matrix.sources`); nil: all.
  ///   - bias: of all outputs of the matrix, added to each sum at its end; nil: none.
  ///   - y: [rows, outputs.count] f32, `yStride` floats from row to row. Column 0 is `outputs.lowerBound`.
  ///     May not overlap x.
  /// - Throws: `outOfMemory`; y is then unspecified.
  /// - Complexity: 2 · rows · inputs · outputs operations.
  public func multiply(
    _ x: UnsafePointer<Float>, stride xStride: Int, rows: Int, by matrix: PackedMatrix,
    outputs: Range<Int>? = nil, bias: UnsafePointer<Float>? = nil, into y: UnsafeMutablePointer<Float>, stride yStride: Int
  ) throws(RallyError) {
    unsafe try multiply(
      x, stride: xStride, rows: rows, by: matrix, outputs: outputs, bias: bias, after: nil, into: y, stride: yStride)
  }

  private func multiply(
    _ x: UnsafePointer<Float>, stride xStride: Int, rows: Int, by matrix: PackedMatrix, outputs: Range<Int>?,
    bias: UnsafePointer<Float>?, after first: (operation: RowOperation, x: FloatRows)?, into y: UnsafeMutablePointer<Float>,
    stride yStride: Int
  ) throws(RallyError) {
    let outputs = outputs ?? 0..<matrix.outputs
    guard rows > 0, !outputs.isEmpty else { return }
    precondition(xStride >= matrix.inputs && yStride >= outputs.count)
    let panels = matrix.panels(for: outputs)
    for start in stride(from: 0, to: rows, by: Self.blockRows) {
      let block = start..<min(start + Self.blockRows, rows)
      let call = unsafe Call(
        matmul: self, matrix: matrix, panels: panels, rows: block.count, x: x + start * xStride, xStride: xStride, bias: bias,
        y: y + start * yStride, yStride: yStride, first: first.map { ($0.operation.rows(block), $0.x.rows(block)) })
      try run(call)
    }
  }

  /// What the workers of one product share.
  @safe struct Call {
    let matmul: MatMul
    let matrix: PackedMatrix
    let panels: Range<Int>
    let rows: Int
    let x: UnsafePointer<Float>
    let xStride: Int
    let bias: UnsafePointer<Float>?
    let y: UnsafeMutablePointer<Float>
    let yStride: Int
    /// What becomes of the rows before they are converted.
    let first: (operation: RowOperation, x: FloatRows)?

    var tileCount: Int { (rows + MatMul.tileRows - 1) / MatMul.tileRows }

    /// Panels at the end that workers take strip by strip. One tile has so few panels that a worker would wait long
    /// for another's last one. Measured, two threads of a Xeon with AVX-512, 360M vanilla model in bf16: one sequence
    /// 37.5 tokens/s without, 38.4 with; eight 207 and 214.
    var cutPanelCount: Int {
      let threads = matmul.pool.threadCount
      return threads > 1 && tileCount == 1 ? min(threads, panels.count) : 0
    }
    /// Panels that are taken whole, by the tiles of rows.
    var wholeTaskCount: Int { (panels.count - cutPanelCount) * tileCount }
    var taskCount: Int { wholeTaskCount + cutPanelCount * PackedMatrix.panelStrips }
  }

  private func run(_ call: Call) throws(RallyError) {
    try prepare(call)
    if call.matrix.convertsRows { convert(call) }
    // Tiles of one panel follow each other: the panel stays in the cache of the worker that takes them.
    pool.parallelFor(call.taskCount, with: call) { call, task, _ in call.matmul.run(call, task) }
  }

  /// Makes room, so that workers only read.
  private func prepare(_ call: Call) throws(RallyError) {
    try reserve(rowCount: call.rows, RowRoom(of: call.matrix))
  }

  /// What each row takes before it is multiplied.
  public struct RowRoom: Sendable {
    var byteCount = 0
    var groupCount = 0

    init(of matrix: PackedMatrix) {
      guard matrix.convertsRows else { return }
      byteCount = matrix.convertedRowByteCount
      groupCount = matrix.groupCount
    }

    /// Enough for any of the matrices.
    public init(forAnyOf matrices: [PackedMatrix]) {
      for room in matrices.map({ RowRoom(of: $0) }) {
        byteCount = max(byteCount, room.byteCount)
        groupCount = max(groupCount, room.groupCount)
      }
    }

    /// Of products of `rowCount` rows, and of the old room for scales while there is a new one.
    public func totalByteCount(rowCount: Int) -> Int {
      MatMul.tiledRows(rowCount) * byteCount + MatMul.blockRows * (2 * max(groupCount, 1) + 1) * MemoryLayout<Float>.stride
    }
  }

  /// Rows that are converted at a time, in whole tiles.
  private static func tiledRows(_ rowCount: Int) -> Int { (min(rowCount, blockRows) + tileRows - 1) / tileRows * tileRows }

  /// Makes room for products of `rowCount` rows.
  /// - Throws: `outOfMemory`.
  public func reserve(rowCount: Int, _ room: RowRoom) throws(RallyError) {
    let byteCount = Self.tiledRows(rowCount) * room.byteCount
    if rowStorage.count < byteCount {
      rowStorage = try AlignedStorage(count: 0)
      rowStorage = try AlignedStorage(count: byteCount)
    }
    let groupCount = Self.blockRows * room.groupCount
    if rowScales.count < groupCount {
      rowScales = try AlignedStorage(count: groupCount)
      rowStarts = try AlignedStorage(count: groupCount)
    }
  }
}
