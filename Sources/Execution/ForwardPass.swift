package import Kernels
package import Models
package import Tensors

/// The transformer, from token ids to the residual stream that the head sees.
///
/// One driver at a time; the workspace is reused by every step. A row's result depends on its own
/// sequence alone.
package final class ForwardPass {
  package let weights: ModelWeights
  package let layout: CacheLayout
  let workers: WorkerPool
  let workspace: Workspace
  let matMul: MatMul
  let attentionShape: AttentionShape
  /// One stretch of `attentionScratchCount` floats per worker.
  let attentionScratch: FloatStorage
  let attentionScratchCount: Int
  private var ropeTable: RopeTable?

  var description: ModelDescription { weights.description }

  /// - Throws: `outOfMemory`.
  package init(weights: ModelWeights, workers: WorkerPool) throws(RallyError) {
    self.weights = weights
    self.workers = workers
    layout = CacheLayout(weights.description)
    workspace = try Workspace(description: weights.description)
    matMul = try MatMul(pool: workers)
    let description = weights.description
    attentionShape = AttentionShape(
      headCount: description.headCount, groupCount: description.keyValueHeadCount,
      headWidth: description.headWidth)
    attentionScratchCount = attentionShape.scratchCount(rows: RowSet.rowsPerTile)
    attentionScratch = try FloatStorage(count: attentionScratchCount * workers.threadCount)
  }

  /// Makes room for steps of `rowCount` tokens at positions below `positionCount`; a step within
  /// these bounds allocates nothing.
  /// - Throws: `outOfMemory`.
  package func reserve(rowCount: Int, positionCount: Int) throws(RallyError) {
    try workspace.prepare(rowCount: rowCount)
    guard case .rope(let theta) = description.positions else { return }
    guard positionCount > ropeTable?.positionCount ?? 0 else { return }
    ropeTable = try RopeTable(
      positionCount: positionCount, headWidth: description.headWidth, theta: Float(theta))
  }

  /// Whether a step may not cut rows: a selection that ranks the whole row, attention to tokens
  /// behind, or keys and values that live for a step only.
  package func needsWholeRows(under selection: Selection) -> Bool {
    if layout.hasScratchSlot || description.kind == .rater { return true }
    if case .expert = description.routing { return selection == .topK }
    return false
  }

  /// Rotations of all positions so far reserved; nil without RoPE.
  var rope: RopeTable? { ropeTable }

  /// Runs a step and moves its caches forward.
  ///
  /// Afterwards `hidden` holds the residual stream, [N, D], before the final norm, and `depths` the
  /// recursions that each token ran, [N]; both are valid until the next step.
  ///
  /// - Parameter step: within what was reserved; whole rows only, under top-k selection, with a hybrid cache and in raters.
  /// - Throws: `outOfMemory`; the caches of the step must then be cleared.
  package func run(_ step: inout Step) throws(RallyError) {
    try workspace.prepare(rowCount: step.tokenCount)
    embed(step)
    try runEdge(weights.first, stage: layout.firstStage, firstSlot: layout.firstSlot(layer: 0), &step)
    switch description.routing {
    case .expert(let routing): try runExpertChoice(routing, &step)
    case .token(let routing): try runTokenChoice(routing, &step)
    case .none: try runUnrouted(&step)
    }
    try runEdge(weights.last, stage: layout.lastStage, firstSlot: layout.lastSlot(layer: 0), &step)
    for run in step.rows.runs { step.caches[run.sequence].tokenCount += run.count }
  }

  /// The residual stream of the last step, [N, D].
  package var hidden: FloatRows { workspace.hidden }
  /// Recursions that each token of the last step ran, [N].
  package var depths: [Int32] { workspace.depths }

  /// The layers before or behind the block: all tokens, once.
  private func runEdge(
    _ layers: [LayerWeights], stage: Int, firstSlot: Int, _ step: inout Step
  ) throws(RallyError) {
    guard !layers.isEmpty else { return }
    step.rows.appendCausally(to: stage, of: step.caches)
    for (index, layer) in layers.enumerated() {
      let target = KeyTarget(slot: firstSlot + index, use: .store)
      try run(layer, on: workspace.hidden, step.rows, step.caches, target)
    }
    extend(stage, by: step.rows, step.caches)
  }
}

// MARK: The block

extension ForwardPass {
  /// Runs all layers of the block at `recursion` on `stream`, in place, residuals included.
  func runBlock(
    recursion: Int, on stream: FloatRows, _ rows: inout RowSet, _ caches: [SequenceCache]
  ) throws(RallyError) {
    try run(layers: 0..<layout.blockLayerCount, at: recursion, on: stream, &rows, caches)
    storeEntries(of: recursion, rows, caches)
  }

  /// Some layers of the block; `storeEntries` must follow once the last of them has run.
  func run(
    layers: Range<Int>, at recursion: Int, on stream: FloatRows, _ rows: inout RowSet,
    _ caches: [SequenceCache]
  ) throws(RallyError) {
    let use = keyUse(recursion: recursion)
    let stage = layout.blockStage(recursion: recursion)
    if use != .store {
      rows.readByPosition()
    } else if description.kind == .rater {
      rows.appendBidirectionally(to: stage, of: caches)
    } else {
      rows.appendCausally(to: stage, of: caches)
    }
    for layer in layers {
      let target = KeyTarget(slot: layout.blockSlot(recursion: recursion, layer: layer), use: use)
      try run(weights.block[recursion][layer], on: stream, rows, caches, target)
    }
  }

  /// Counts the entries that `rows` stored at `recursion`.
  func storeEntries(of recursion: Int, _ rows: RowSet, _ caches: [SequenceCache]) {
    guard keyUse(recursion: recursion) == .store else { return }
    extend(layout.blockStage(recursion: recursion), by: rows, caches)
  }

  private func extend(_ stage: Int, by rows: RowSet, _ caches: [SequenceCache]) {
    for run in rows.runs { caches[run.sequence].extend(stage: stage, by: run.count) }
  }

  private func keyUse(recursion: Int) -> KeyTarget.Use {
    guard layout.sharesKeys && recursion > 0 else { return .store }
    return layout.hasScratchSlot ? .replace : .read
  }
}
