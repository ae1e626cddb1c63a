package import Files
import Kernels
package import Models
package import Tensors

/// From the residual stream to logits: final norm, where no recursion has applied it, then the head, a tile of rows at a time.
package final class LanguageHead {
  /// Rows that are computed together: one tile of the matrix product. Bounds the logits that exist
  /// at a time to [64, V].
  package static let tileRowCount = 64

  private let forward: ForwardPass
  private let norm: NormWeights?
  private let projection: Projection
  private let hidden: FloatStorage
  private let empty: FloatStorage
  private var logits: FloatStorage
  private var capacity = 0

  /// Floats that it takes when it is opened.
  package var hiddenFloatCount: Int { hidden.count }

  /// - Throws: `outOfMemory`.
  package init(forward: ForwardPass, norm: NormWeights?, projection: Projection) throws(RallyError) {
    self.forward = forward
    self.norm = norm
    self.projection = projection
    hidden = try FloatStorage(count: Self.tileRowCount * forward.description.hiddenSize)
    empty = try FloatStorage(count: 0)
    logits = empty
  }

  /// Makes room for the logits of `rowCount` rows, at most a tile.
  /// - Throws: `outOfMemory`.
  package func reserve(rowCount: Int) throws(RallyError) {
    let rows = min(rowCount, Self.tileRowCount)
    guard rows > capacity else { return }
    release()
    logits = try FloatStorage(count: rows * forward.description.vocabularySize)
    capacity = rows
  }

  /// Lets the room for logits go.
  package func release() {
    capacity = 0
    logits = empty
  }

  /// What the head sees of some rows of a stream, [n, D]; valid until the next call.
  package func normalized(_ stream: FloatRows, at rows: [Int32]) -> FloatRows {
    let result = hidden.rows(rows.count, width: stream.width)
    forward.gather(stream, at: rows, into: result)
    forward.normalize(result, norm)
    return result
  }

  /// [n, V]; valid until the next call.
  /// - Throws: `outOfMemory`.
  package func logits(_ hidden: FloatRows) throws(RallyError) -> FloatRows {
    try reserve(rowCount: hidden.rowCount)
    let result = logits.rows(hidden.rowCount, width: forward.description.vocabularySize)
    try forward.project(hidden, projection, into: result, countedAs: .head)
    return result
  }

  /// Bytes of weights that each batch of rows reads.
  package var weightByteCount: Int { projection.matrix.byteCount }

  /// log softmax(logits)[token] of one row.
  package func logProbability(_ logits: FloatRows, row: Int, of token: Int32) -> Float {
    unsafe LogProbability.of(Int(token), logits: logits.pointer(row: row), count: logits.width)
  }
}
