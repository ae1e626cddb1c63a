package import Files
package import Kernels
package import Models
package import Scheduling
package import Tensors

/// The transformer, from token ids to the residual stream that the head sees.
///
/// Tokens `enter` through the first layers, `advance` through the block once per recursion, and `leave` through the last
/// layers. One pass of the block runs the tokens of all sequences, whatever their recursion: they share its weights. A
/// row's result depends on its own sequence alone. One driver at a time.
package final class ForwardPass {
  package let weights: ModelWeights
  package let layout: CacheLayout
  package let workers: WorkerPool
  /// Time by part of the work.
  package let profile = Profile()
  /// Told of every product's rows before they are multiplied.
  package var observer: ((_ projection: Projection, _ input: FloatRows) throws(RallyError) -> Void)?
  let workspace: Workspace
  let matMul: MatMul
  /// Of a row of any product.
  package let rowRoom: MatMul.RowRoom
  package let attentionShape: AttentionShape
  let attentionScratch: WorkerScratch
  /// Floats of it, for all workers.
  package var attentionScratchCount: Int { attentionScratch.storage.count }
  var flight = Flight()
  /// How far attention reaches in layers with a sliding window; nil in models without one.
  let window: Int?
  /// All recursions run the same layers.
  private let sharesBlock: Bool
  /// Rotations of all positions so far reserved, one for each table; empty without RoPE.
  private(set) var ropeTables: [RopeTable] = []
  /// Of the rows so far reserved; nil without attention to distances.
  private(set) var distances: DistanceAttention?
  /// Of the rows so far reserved; nil where attention reads the cache.
  private(set) var rowAttention: RowAttention?
  /// How rows attend whose keys and values never reach the cache; nil where attention reads it.
  package let rowMethod: SelfAttention?
  private var leaverCount = 0

  /// What one item brought out of the model.
  package struct Departure {
    package var key: Int
    /// Its rows in `hidden` and `depths`.
    package var rows: Range<Int>
  }
  /// The items of the last `leave`, in the order of entering.
  package private(set) var departures: [Departure] = []

  /// Recursions that each token of the last `leave` ran, [n].
  package private(set) var depths: [Int32] = []
  /// The residual stream after the last layers of the tokens of the last `leave`, [n, D].
  package var hidden: FloatRows { workspace.edge(leaverCount) }

  var description: ModelDescription { weights.description }

  /// - Throws: `outOfMemory`.
  package init(weights: ModelWeights, workers: WorkerPool, cacheType: CacheType = .f32) throws(RallyError) {
    self.weights = weights
    self.workers = workers
    layout = CacheLayout(weights.description)
    window = weights.description.storedLayers.lazy.compactMap(\.slidingWindow).first
    sharesBlock = weights.block.dropFirst().allSatisfy { zip($0, weights.block[0]).allSatisfy { $0.isSame(as: $1) } }
    workspace = try Workspace(description: weights.description)
    matMul = try MatMul(pool: workers)
    rowRoom = MatMul.RowRoom(forAnyOf: weights.matrices)
    attentionShape = AttentionShape(weights.description, cacheType: cacheType)
    rowMethod = RowAttention.method(for: weights, layout)
    attentionScratch = try WorkerScratch(
      floatCount: attentionShape.scratchCount(rows: RowSet.rowsPerTile), workerCount: workers.threadCount)
  }

  /// Makes room for `rowCount` tokens on their way, at positions below `positionCount`; within these bounds nothing is
  /// allocated. Nothing may be on its way.
  /// - Throws: `outOfMemory`.
  package func reserve(rowCount: Int, positionCount: Int) throws(RallyError) {
    precondition(flight.isEmpty)
    try workspace.prepare(rowCount: rowCount)
    try matMul.reserve(rowCount: rowCount, rowRoom)
    flight.reserve(rowCount)
    depths.reserveCapacity(rowCount)
    departures.reserveCapacity(rowCount)
    if case .disentangled(let buckets) = description.positions, positionCount > distances?.tokenCount ?? 0 {
      distances = nil
      distances = try DistanceAttention(
        buckets, headWidth: description.headWidth, tokenCount: positionCount, workerCount: workers.threadCount)
    }
    if let rowMethod, positionCount > rowAttention?.tokenCount ?? 0 {
      rowAttention = nil
      rowAttention = try RowAttention(
        rowMethod, headWidth: description.headWidth, tokenCount: positionCount, workerCount: workers.threadCount)
    }
    guard case .rope(let tables) = description.positions, positionCount > ropeTables.first?.positionCount ?? 0
    else { return }
    ropeTables = []
    var longer: [RopeTable] = []
    for (index, table) in tables.enumerated() {
      longer.append(try makeTable(table, index, positionCount: positionCount))
    }
    ropeTables = longer
  }

  /// Lets go of the room that `reserve` made; nothing may be on its way.
  package func release() {
    precondition(flight.isEmpty)
    workspace.release()
    ropeTables = []
    distances = nil
    rowAttention = nil
  }

  private func makeTable(
    _ table: ModelDescription.RotaryTable, _ index: Int, positionCount: Int
  ) throws(RallyError) -> RopeTable {
    switch table.frequencies {
    case .theta(let theta):
      try RopeTable(positionCount: positionCount, headWidth: description.headWidth, theta: Float(theta))
    case .stored:
      try RopeTable(
        positionCount: positionCount, frequencies: weights.ropeFrequencies[index],
        factor: Float(table.attentionFactor))
    }
  }

  /// Whether a step may not cut rows: a selection that ranks the whole row, attention to tokens
  /// after, or keys and values that live for a step only.
  package func needsWholeRows(under selection: Selection) -> Bool {
    if layout.hasScratchSlot || description.kind == .rater { return true }
    if case .expert = description.routing { return selection == .topK }
    return false
  }
}

// MARK: The way of a token

extension ForwardPass {
  /// All of it for the tokens of one step, in order. Nothing else may be on its way.
  /// - Parameter step: whole rows only, under top-k selection, with a hybrid cache and in raters.
  /// - Throws: `outOfMemory`; the caches of the step must then be cleared.
  package func run(_ step: Step) throws(RallyError) {
    precondition(flight.isEmpty)
    do throws(RallyError) {
      try workers.inOneTurn { () throws(RallyError) in
        try enter(step)
        while hasActive { try advance() }
        try leave { _ in true }
      }
    } catch {
      flight.removeAll()
      throw error
    }
  }

  /// Embeds the tokens of a step, runs the first layers, and routes for the first recursion.
  package func enter(_ step: Step) throws(RallyError) {
    guard !step.isEmpty else { return }
    try weights.mappedFile?.checkLength()
    let first = flight.items.count
    for part in step.parts {
      part.cache.locate()
      flight.append(part)
    }
    collect(items: first..<flight.items.count)
    let stream = workspace.edge(step.tokenCount)
    embed(step.tokens, into: stream)
    try runEdge(weights.first, .first, on: stream)
    scatter(stream, to: workspace.places, of: workspace.resident)
    enterLoop(stream)
    switch description.routing {
    case .expert(let routing): try route(routing, recursion: 0)
    case .token(let routing): try chooseDepths(routing, items: first..<flight.items.count, stream)
    case .none: fixDepths(items: first..<flight.items.count)
    }
  }

  /// One pass of the block over all tokens that still run, each at its own recursion; then routes them.
  package func advance() throws(RallyError) {
    try weights.mappedFile?.checkLength()
    guard description.layers.repeatsWholeBlock else { return try runLayerByLayer() }
    if sharesBlock {
      try advance(recursions: 0..<layout.recursionCount)
    } else {
      for recursion in 0..<layout.recursionCount { try advance(recursions: recursion..<recursion + 1) }
    }
    flight.advance()
    if description.loop?.exit != nil { try fillSkipped() }
    switch description.routing {
    case .expert(let routing):
      for recursion in 1...layout.recursionCount { try route(routing, recursion: recursion) }
    case .token, .none:
      for index in flight.items.indices { narrowByDepth(index) }
    }
  }

  /// Runs the last layers on the items that `leaves` names by their keys, whose tokens are all through the block, and lets
  /// them go. Afterwards `hidden` and `depths` hold what came out, in the order of entering.
  package func leave(_ leaves: (_ key: Int) -> Bool) throws(RallyError) {
    try weights.mappedFile?.checkLength()
    workspace.beginRows()
    departures.removeAll(keepingCapacity: true)
    for index in flight.items.indices where leaves(flight.items[index].key) {
      let first = workspace.rows.count
      workspace.append(flight, item: index)
      departures.append(Departure(key: flight.items[index].key, rows: first..<workspace.rows.count))
    }
    leaverCount = workspace.rows.count
    depths.removeAll(keepingCapacity: true)
    for row in workspace.active { depths.append(flight.depths[Int(row)]) }
    let stream = workspace.edge(leaverCount)
    gather(workspace.resident, at: workspace.places, into: stream)
    try runEdge(weights.last, .last, on: stream)
    var index = 0
    while index < flight.items.count {
      if leaves(flight.items[index].key) {
        flight.caches[index].blocks.finish(tokens: flight.items[index].rows.count)
        flight.remove(at: index)
      } else {
        index += 1
      }
    }
  }

  /// Lets an item go, wherever it is; what it stored must be cleared.
  package func abandon(key: Int) {
    if let index = flight.index(of: key) { flight.remove(at: index) }
  }

  package func abandonAll() { flight.removeAll() }

  /// Tokens inside the block: rows of the next pass.
  package var activeCount: Int { flight.items.reduce(0) { $0 + $1.activeCount } }
  package var hasActive: Bool { flight.items.contains { $0.activeCount > 0 } }

  /// Whether all tokens of an item are through the block.
  package func isThrough(key: Int) -> Bool {
    guard let index = flight.index(of: key) else { return false }
    return flight.items[index].activeCount == 0
  }
}

// MARK: What weights a pass reads

extension ForwardPass {
  /// Bytes of the layers before and after the block.
  package var edgeByteCount: Int { (weights.first + weights.last).reduce(0) { $0 + $1.byteCount } }
  /// Bytes of one pass of the block.
  package var blockByteCount: Int { weights.block.first?.reduce(0) { $0 + $1.byteCount } ?? 0 }
}

extension LayerWeights {
  fileprivate var byteCount: Int {
    attentionInput.matrix.byteCount + attentionOutput.matrix.byteCount + feedForwardInput.matrix.byteCount
      + feedForwardOutput.matrix.byteCount
  }

  /// Whether both are the same objects in memory.
  fileprivate func isSame(as other: LayerWeights) -> Bool {
    inputNorm.isSame(as: other.inputNorm) && inputBranchNorm.isSame(as: other.inputBranchNorm)
      && postNorm.isSame(as: other.postNorm) && postBranchNorm.isSame(as: other.postBranchNorm)
      && headNorms?.query === other.headNorms?.query && headNorms?.key === other.headNorms?.key
      && attentionInput.matrix === other.attentionInput.matrix && attentionInput.bias === other.attentionInput.bias
      && attentionOutput.matrix === other.attentionOutput.matrix && attentionOutput.bias === other.attentionOutput.bias
      && feedForwardInput.matrix === other.feedForwardInput.matrix
      && feedForwardInput.bias === other.feedForwardInput.bias
      && feedForwardOutput.matrix === other.feedForwardOutput.matrix
      && feedForwardOutput.bias === other.feedForwardOutput.bias
  }
}

extension NormWeights? {
  fileprivate func isSame(as other: NormWeights?) -> Bool { self?.gain === other?.gain && self?.bias === other?.bias }
}

// MARK: Parts of the way

extension ForwardPass {
  /// The workspace's rows become those of some items.
  func collect(items: Range<Int>) {
    workspace.beginRows()
    for index in items { workspace.append(flight, item: index) }
  }

  /// Sets which entries the workspace's rows store and see in the layers of `place`.
  func locateRows(_ place: Place) {
    workspace.rows.locate(
      in: flight.caches, place, isCausal: description.attention.isCausal, window: window)
  }

  /// The layers before or after the block, on the workspace's rows.
  private func runEdge(_ layers: [LayerWeights], _ place: Place, on stream: FloatRows) throws(RallyError) {
    guard !layers.isEmpty, stream.rowCount > 0 else { return }
    locateRows(place)
    for (index, layer) in layers.enumerated() { try run(layer, place, index, on: stream) }
    workspace.rows.extend(flight.caches, place)
  }

  /// The whole block on the active tokens at some recursions, whose weights are the same.
  private func advance(recursions: Range<Int>) throws(RallyError) {
    workspace.beginRows()
    for recursion in recursions { workspace.appendActive(flight, at: recursion) }
    guard workspace.rows.count > 0 else { return }
    let stream = try injected()
    locateRows(.block)
    for (index, layer) in weights.block[recursions.lowerBound].enumerated() {
      try run(layer, .block, index, on: stream)
    }
    workspace.rows.extend(flight.caches, .block)
    if description.loop?.normalizes == true { normalize(stream, weights.finalNorm) }
    take(stream)
  }

  /// What came out of the block becomes the tokens' streams.
  private func take(_ stream: FloatRows) {
    switch description.routing {
    case .expert(let routing): addGated(stream, routing.router.gating)
    case .token(let routing): replace(by: stream, routing.router.gating)
    case .none:
      if let exit = description.loop?.exit { decideExits(exit, stream) }
      scatter(stream, to: workspace.places, of: workspace.resident)
      if description.loop?.exit != nil { readWhereTheyLeft() }
    }
  }

  /// A token of the item is active while it runs more recursions than it has run.
  func narrowByDepth(_ index: Int) {
    let limits = flight.limits
    let recursion = flight.items[index].recursion
    flight.narrow(index) { row in Int(limits[row]) > recursion }
  }
}
