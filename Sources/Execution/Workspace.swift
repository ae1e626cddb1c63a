package import Models
package import Tensors

/// The buffers of one forward pass, grown to the largest step so far and reused by every other.
package final class Workspace {
  private let widths: Widths
  private var capacity = 0
  private var rowCount = 0

  private var hiddenStorage: FloatStorage
  private var blockStorage: FloatStorage
  private var normedStorage: FloatStorage
  private var projectedStorage: FloatStorage
  private var qkvStorage: FloatStorage
  private var attendedStorage: FloatStorage
  private var innerStorage: FloatStorage
  private var routerStorage: FloatStorage

  /// Rows of the step that are still inside the block, ascending, and what is known of each of them.
  var active: [Int32] = []
  /// z of the active tokens; under token-choice [N, R] probabilities of all tokens.
  var scores: [Float] = []
  var auxiliaryScores: [Float] = []
  /// Whether each active token goes on.
  var keep: [Bool] = []
  /// Indices among the active tokens of those that go on.
  var kept: [Int32] = []
  var gains: [Float] = []
  /// The tokens of the block's stream.
  var rows = RowSet()
  /// Recursions that each token of the step runs, [N].
  var depths: [Int32] = []

  /// - Throws: `outOfMemory`.
  package init(description: ModelDescription) throws(RallyError) {
    widths = Widths(description)
    hiddenStorage = try FloatStorage(count: 0)
    blockStorage = hiddenStorage
    normedStorage = hiddenStorage
    projectedStorage = hiddenStorage
    qkvStorage = hiddenStorage
    attendedStorage = hiddenStorage
    innerStorage = hiddenStorage
    routerStorage = hiddenStorage
  }

  /// Makes room for a step of `rowCount` tokens.
  /// - Throws: `outOfMemory`.
  func prepare(rowCount: Int) throws(RallyError) {
    if rowCount > capacity {
      capacity = 0
      hiddenStorage = try FloatStorage(count: rowCount * widths.hidden)
      blockStorage = try FloatStorage(count: rowCount * widths.hidden)
      normedStorage = try FloatStorage(count: rowCount * widths.hidden)
      projectedStorage = try FloatStorage(count: rowCount * widths.hidden)
      qkvStorage = try FloatStorage(count: rowCount * widths.qkv)
      attendedStorage = try FloatStorage(count: rowCount * widths.query)
      innerStorage = try FloatStorage(count: rowCount * widths.inner)
      routerStorage = try FloatStorage(count: rowCount * widths.router)
      reserveLists(rowCount)
      capacity = rowCount
    }
    self.rowCount = rowCount
  }

  private func reserveLists(_ rowCount: Int) {
    active.reserveCapacity(rowCount)
    scores.reserveCapacity(rowCount * widths.routerOutputs)
    auxiliaryScores.reserveCapacity(rowCount)
    keep.reserveCapacity(rowCount)
    kept.reserveCapacity(rowCount)
    gains.reserveCapacity(rowCount)
    depths.reserveCapacity(rowCount)
    rows.reserveCapacity(rowCount)
  }

  /// Floats that each token of a step takes.
  package static func floatCount(_ description: ModelDescription) -> Int { Widths(description).total }
}

// MARK: Views

extension Workspace {
  /// The residual stream of all tokens of the step, [N, D].
  var hidden: FloatRows { hiddenStorage.rows(rowCount, width: widths.hidden) }
  /// The stream of the tokens inside the block, [n, D].
  func block(_ count: Int) -> FloatRows { blockStorage.rows(count, width: widths.hidden) }
  /// A normalised copy of a stream, [n, D].
  func normed(_ count: Int) -> FloatRows { normedStorage.rows(count, width: widths.hidden) }
  /// What a sublayer adds to the stream, [n, D].
  func projected(_ count: Int) -> FloatRows { projectedStorage.rows(count, width: widths.hidden) }
  /// Queries, keys and values side by side, [n, (H + 2G)·K].
  func qkv(_ count: Int) -> FloatRows { qkvStorage.rows(count, width: widths.qkv) }
  /// What attention gathered, [n, H·K].
  func attended(_ count: Int) -> FloatRows { attendedStorage.rows(count, width: widths.query) }
  /// Gate and up side by side, [n, 2F], or up alone, [n, F].
  func inner(_ count: Int) -> FloatRows { innerStorage.rows(count, width: widths.inner) }
  /// The hidden layer of an MLP router, [n, 2D].
  func router(_ count: Int) -> FloatRows { routerStorage.rows(count, width: widths.router) }

  /// The rows in `projected` become the block's stream.
  func swapBlockAndProjected() { swap(&blockStorage, &projectedStorage) }
}

// MARK: Active tokens

extension Workspace {
  func activateAll(_ count: Int) {
    active.removeAll(keepingCapacity: true)
    active.append(contentsOf: 0..<Int32(count))
  }

  /// Keeps the active tokens that are flagged, and their scores.
  func reduceActiveToKept(scores keepsScores: Bool) {
    var next = 0
    for index in active.indices where keep[index] {
      active[next] = active[index]
      if keepsScores { scores[next] = scores[index] }
      next += 1
    }
    active.removeLast(active.count - next)
    if keepsScores { scores.removeLast(scores.count - next) }
  }

  func setDepths(_ depth: (Int) -> Int32) {
    depths.removeAll(keepingCapacity: true)
    for row in 0..<rowCount { depths.append(depth(row)) }
  }
}

/// Floats per token of each buffer.
private struct Widths {
  let hidden, qkv, query, inner, router, routerOutputs: Int

  init(_ description: ModelDescription) {
    hidden = description.hiddenSize
    query = description.headCount * description.headWidth
    qkv = query + 2 * description.keyValueHeadCount * description.headWidth
    inner = description.feedForwardSize * (description.feedForward.isGated ? 2 : 1)
    router = description.routing.router?.kind == .mlp ? 2 * hidden : 0
    routerOutputs = description.layers.recursionCount
  }

  var total: Int { 4 * hidden + qkv + query + inner + router }
}
