package import Files
package import Models
import Tensors

/// The buffers of a forward pass, grown to the largest step so far and reused by every other.
package final class Workspace {
  private let widths: Widths
  private var capacity = 0

  private let empty: Buffers
  private var buffers: Buffers

  /// Rows of the flight that run together, and what is known of each of them.
  var active: [Int32] = []
  /// Where their streams are kept.
  var places: [Int32] = []
  /// z of the active tokens; under token-choice [n, R] probabilities.
  var scores: [Float] = []
  var auxiliaryScores: [Float] = []
  /// Whether each active token goes on.
  var keep: [Bool] = []
  var gains: [Float] = []
  var rows = RowSet()

  /// - Throws: `outOfMemory`.
  package init(description: ModelDescription) throws(RallyError) {
    widths = Widths(description)
    empty = try Buffers(widths, rowCount: 0)
    buffers = empty
  }

  /// Makes room for `rowCount` tokens on their way; what was in the buffers is lost when they grow.
  /// - Throws: `outOfMemory`.
  func prepare(rowCount: Int) throws(RallyError) {
    guard rowCount > capacity else { return }
    release()
    buffers = try Buffers(widths, rowCount: rowCount)
    reserveLists(rowCount)
    capacity = rowCount
  }

  /// Lets all buffers go: they have nothing to keep, and old and new ones together are more than either.
  func release() {
    capacity = 0
    buffers = empty
  }

  private func reserveLists(_ rowCount: Int) {
    active.reserveCapacity(rowCount)
    places.reserveCapacity(rowCount)
    scores.reserveCapacity(rowCount * widths.routerOutputs)
    auxiliaryScores.reserveCapacity(rowCount)
    keep.reserveCapacity(rowCount)
    gains.reserveCapacity(rowCount)
    rows.reserveCapacity(rowCount)
  }

  /// Floats that each token on its way takes.
  package static func floatCount(_ description: ModelDescription) -> Int { Widths(description).total }
}

// MARK: Views

extension Workspace {
  /// The residual streams of the tokens on their way, each at its place, [capacity, D].
  var resident: FloatRows { buffers.resident.rows(capacity, width: widths.hidden) }
  /// What the router saw of them, under token-choice, or what each recursion takes in again, [capacity, D].
  var origin: FloatRows { buffers.origin.rows(capacity, width: widths.origin) }
  /// The states that are read of tokens that run on, [capacity, D].
  var readOut: FloatRows { buffers.readOut.rows(capacity, width: widths.readOut) }
  /// State and injected state side by side, [n, 2D].
  func joined(_ count: Int) -> FloatRows { buffers.joined.rows(count, width: widths.joined) }
  /// The stream of the tokens that enter or leave, [n, D].
  func edge(_ count: Int) -> FloatRows { buffers.edge.rows(count, width: widths.hidden) }
  /// The stream of the tokens inside the block, [n, D].
  func block(_ count: Int) -> FloatRows { buffers.block.rows(count, width: widths.hidden) }
  /// A normalised copy of a stream, [n, D].
  func normed(_ count: Int) -> FloatRows { buffers.normed.rows(count, width: widths.hidden) }
  /// What a sublayer adds to the stream, [n, D].
  func projected(_ count: Int) -> FloatRows { buffers.projected.rows(count, width: widths.hidden) }
  /// Queries, keys and values side by side, [n, (H + 2G)·K].
  func qkv(_ count: Int) -> FloatRows { buffers.qkv.rows(count, width: widths.qkv) }
  /// What attention gathered, [n, H·K].
  func attended(_ count: Int) -> FloatRows { buffers.attended.rows(count, width: widths.query) }
  /// Gate and up side by side, [n, 2F], or up alone, [n, F].
  func inner(_ count: Int) -> FloatRows { buffers.inner.rows(count, width: widths.inner) }
  /// The hidden layer of an MLP router, [n, 2D].
  func router(_ count: Int) -> FloatRows { buffers.router.rows(count, width: widths.router) }
}

// MARK: Rows

extension Workspace {
  /// Starts a new set of rows.
  func beginRows() {
    rows.removeAll()
    active.removeAll(keepingCapacity: true)
    places.removeAll(keepingCapacity: true)
  }

  /// Appends the rows of an item that `isIncluded` names.
  /// - Parameter recursion: at which they run; nil for the item's own.
  func append(_ flight: Flight, item index: Int, recursion: Int? = nil, where isIncluded: (Int) -> Bool = { _ in true }) {
    let item = flight.items[index]
    for row in item.rows where isIncluded(row) {
      rows.append(position: flight.positions[row], sequence: index, recursion: recursion ?? item.recursion)
      active.append(Int32(row))
      places.append(flight.places[row])
    }
  }

  /// Appends the active rows of the items at `recursion`.
  func appendActive(_ flight: Flight, at recursion: Int) {
    for index in flight.items.indices
    where flight.items[index].recursion == recursion && flight.items[index].activeCount > 0 {
      append(flight, item: index) { flight.isActive[$0] }
    }
  }
}

/// Floats per token of each buffer.
private struct Widths {
  let hidden, origin, readOut, joined, qkv, query, inner, router, routerOutputs: Int

  init(_ description: ModelDescription) {
    hidden = description.hiddenSize
    let isInjected = description.loop.map { $0.injection != .none } ?? false
    if case .token = description.routing { origin = hidden } else { origin = isInjected ? hidden : 0 }
    readOut = description.loop?.exit == nil ? 0 : hidden
    joined = isInjected ? 2 * hidden : 0
    query = description.headCount * description.headWidth
    qkv = query + 2 * description.keyValueHeadCount * description.headWidth
    inner = description.feedForwardSize * (description.feedForward.isGated ? 2 : 1)
    router = description.routing.router?.kind == .mlp ? 2 * hidden : 0
    routerOutputs = description.layers.recursionCount
  }

  var total: Int { 5 * hidden + origin + readOut + joined + qkv + query + inner + router }
}

/// The memory of all buffers.
private struct Buffers {
  let resident, origin, readOut, joined, edge, block, normed, projected, qkv, attended, inner, router: FloatStorage

  /// - Throws: `outOfMemory`.
  init(_ widths: Widths, rowCount: Int) throws(RallyError) {
    resident = try FloatStorage(count: rowCount * widths.hidden)
    origin = try FloatStorage(count: rowCount * widths.origin)
    readOut = try FloatStorage(count: rowCount * widths.readOut)
    joined = try FloatStorage(count: rowCount * widths.joined)
    edge = try FloatStorage(count: rowCount * widths.hidden)
    block = try FloatStorage(count: rowCount * widths.hidden)
    normed = try FloatStorage(count: rowCount * widths.hidden)
    projected = try FloatStorage(count: rowCount * widths.hidden)
    qkv = try FloatStorage(count: rowCount * widths.qkv)
    attended = try FloatStorage(count: rowCount * widths.query)
    inner = try FloatStorage(count: rowCount * widths.inner)
    router = try FloatStorage(count: rowCount * widths.router)
  }
}
