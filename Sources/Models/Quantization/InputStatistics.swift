package import Files
package import Kernels
package import Tensors

/// What a product was given while a model read a text: how large each channel becomes, and how channels move together.
package final class InputStatistics {
  /// Channels whose products with each other are summed: bounds memory, 8 · `blockLimit` bytes a channel, and time.
  static let blockLimit = 256
  private static let chunk = 256

  package let inputs: Int
  /// [inputs]: the largest magnitude of each channel.
  package private(set) var maxima: [Float]
  /// Blocks of channels, all but the last of the same width, a multiple of the groups'.
  let blockWidth: Int
  private let blocks: [CrossProducts]
  private let columns: DoubleRows

  /// - Throws: `outOfMemory`.
  package init(inputs: Int) throws(RallyError) {
    self.inputs = inputs
    maxima = [Float](repeating: 0, count: inputs)
    let count = (inputs + Self.blockLimit - 1) / Self.blockLimit
    let group = PackedMatrix.groupWidth
    blockWidth = min(inputs, ((inputs + count - 1) / count + group - 1) / group * group)
    var blocks: [CrossProducts] = []
    for start in stride(from: 0, to: inputs, by: blockWidth) {
      blocks.append(try CrossProducts(rowCount: min(blockWidth, inputs - start), partCount: 1))
    }
    self.blocks = blocks
    columns = try DoubleRows(rowCount: blockWidth, width: Self.chunk)
  }

  /// Takes in rows [n, inputs]. Rows that are not finite are left out: no scale could hold them.
  package func note(_ x: FloatRows, pool: WorkerPool) throws(RallyError) {
    for row in 0..<x.rowCount {
      let values = unsafe UnsafeBufferPointer(start: x.pointer(row: row), count: inputs)
      for channel in 0..<inputs where unsafe values[channel].isFinite {
        unsafe maxima[channel] = max(maxima[channel], abs(values[channel]))
      }
    }
    for (index, block) in blocks.enumerated() {
      let start = index * blockWidth
      for first in stride(from: 0, to: x.rowCount, by: Self.chunk) {
        let count = min(Self.chunk, x.rowCount - first)
        unsafe columns.setColumns(
          from: x.pointer(row: first) + start, stride: x.stride, count: count, width: block.rowCount)
        guard block.rowCount == columns.rowCount else {
          let narrow = try DoubleRows(rowCount: block.rowCount, width: Self.chunk)
          unsafe narrow.setColumns(
            from: x.pointer(row: first) + start, stride: x.stride, count: count, width: block.rowCount)
          block.add(narrow, narrow, part: 0, pool: pool)
          continue
        }
        block.add(columns, columns, part: 0, pool: pool)
      }
    }
  }

  /// Σ x xᵀ of a block of channels, [w, w] row-major.
  func products(block: Int) -> (width: Int, values: [Double]) {
    let table = blocks[block]
    let width = table.rowCount
    var values = [Double](repeating: 0, count: width * width)
    for row in 0..<width {
      for column in 0..<width { values[row * width + column] = table[row, column, 0] }
    }
    return (width, values)
  }

  var blockCount: Int { blocks.count }
}
