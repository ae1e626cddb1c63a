import Files
import Kernels
import Models
import Scheduling
import Tensors

// Exits of looped models: after each repetition a token goes on or leaves, by a rule that looks at its own states alone.
//
// A token that leaves is read where it left. What later tokens see of the repetitions that it did not run is the policy's:
// its own, as all are computed (`full`); those of the deepest that it ran (`lastExited`), which are copied; or what the
// skipped layers make of the state that it left with (`propagated`). So each repetition holds an entry for every token, found
// by its position, and nothing depends on who else is on the way.

extension ForwardPass {
  /// Lets the rule look at the workspace's rows, which have just run a repetition.
  ///
  /// - Parameter stream: their states after it. `workspace.resident` holds those before, and loses them.
  func decideExits(_ exit: ModelDescription.Exit, _ stream: FloatRows) {
    let start = profile.start()
    for run in workspace.rows.runs {
      let depth = Int32(run.recursion + 1)
      let policy = flight.items[run.sequence].policy
      guard let request = policy.exit, depth < policy.limit, !request.isNever(exit.rule) else { continue }
      for index in run.start..<run.start + run.count {
        let row = Int(workspace.active[index])
        guard flight.exits[row] == 0, flight.positions[row] >= request.firstPosition else { continue }
        let isDue = isDue(exit.rule, request.threshold, row, recursion: run.recursion, stream, index)
        guard isDue, depth >= request.minimum else { continue }
        flight.exits[row] = depth
        flight.depths[row] = depth
        if request.keyValues == .full {
          copyRow(stream, index, to: workspace.readOut, Int(workspace.places[index]))
        } else {
          flight.limits[row] = depth
        }
      }
    }
    profile.add(.routing, since: start)
  }

  /// Whether the rule lets a token leave after this repetition.
  private func isDue(
    _ rule: ModelDescription.Exit.Rule, _ threshold: Float, _ row: Int, recursion: Int, _ stream: FloatRows, _ index: Int
  ) -> Bool {
    let state = unsafe stream.pointer(row: index)
    switch rule {
    case .hazard(let gates):
      if threshold <= 0 { return true }
      let gate = weights.exitGates[gates > 1 ? recursion : 0]
      let hazard = logistic(unsafe Rows.dot(state, gate.weight.base, count: stream.width) + gate.bias)
      flight.survivals[row] *= 1 - hazard
      return 1 - flight.survivals[row] >= threshold
    case .latentDifference:
      let change = workspace.resident.rows(Int(workspace.places[index])..<Int(workspace.places[index]) + 1)
      for column in 0..<stream.width { change[0, column] = stream[index, column] - change[0, column] }
      let distance = unsafe Rows.dot(change.base, change.base, count: stream.width).squareRoot()
      return unsafe distance / Rows.dot(state, state, count: stream.width).squareRoot() < threshold
    }
  }

  /// Tokens that left before their last repetition and ran on are read where they left.
  func readWhereTheyLeft() {
    for run in workspace.rows.runs where run.recursion + 1 == Int(flight.items[run.sequence].policy.limit) {
      for index in run.start..<run.start + run.count where flight.exits[Int(workspace.active[index])] > 0 {
        let place = Int(workspace.places[index])
        copyRow(workspace.readOut, place, to: workspace.resident, place)
      }
    }
  }

  private func copyRow(_ source: FloatRows, _ from: Int, to target: FloatRows, _ to: Int) {
    unsafe target.pointer(row: to).update(from: source.pointer(row: from), count: source.width)
  }

  /// Gives the tokens that left in the last pass the entries of the repetitions that they skip.
  func fillSkipped() throws(RallyError) {
    let start = profile.start()
    workspace.beginRows()
    for index in flight.items.indices where flight.items[index].policy.exit?.keyValues == .lastExited {
      appendLeavers(index) { _ in true }
    }
    let job = self
    workers.parallelFor(workspace.rows.count, with: job) { forward, row, _ in forward.copySkipped(row) }
    profile.add(.elementwise, since: start)
    for recursion in 1..<max(1, layout.recursionCount) { try propagate(to: recursion) }
  }

  /// Appends the tokens of an item that left in the last pass, at the repetition that they would run next.
  private func appendLeavers(_ index: Int, recursion: Int? = nil, where isIncluded: (Int) -> Bool) {
    let item = flight.items[index]
    guard item.activeCount > 0, item.recursion < item.policy.limit else { return }
    workspace.append(flight, item: index, recursion: recursion) { row in
      flight.exits[row] == item.recursion && flight.isActive[row] && isIncluded(row)
    }
  }

  /// Copies the entries of a row's last repetition to those that it skips.
  private func copySkipped(_ row: Int) {
    let flightRow = Int(workspace.active[row])
    let (run, entry) = (workspace.rows.run(of: row), Int(workspace.rows.positions[row]))
    let cache = flight.caches[run.sequence]
    for layer in 0..<layout.blockLayerCount {
      let source = cache.layout.blockSlot(recursion: Int(flight.exits[flightRow]) - 1, layer: layer)
      for recursion in Int(flight.exits[flightRow])..<cache.layout.recursionCount {
        cache.copyEntry(entry, from: source, to: cache.layout.blockSlot(recursion: recursion, layer: layer), attentionShape)
      }
    }
  }

  /// Stores, as entries of `recursion`, what its layers make of the states of the tokens that left before.
  private func propagate(to recursion: Int) throws(RallyError) {
    workspace.beginRows()
    for index in flight.items.indices
    where flight.items[index].policy.exit?.keyValues == .propagated
      && flight.items[index].recursion <= recursion && recursion < Int(flight.items[index].policy.limit)
    {
      appendLeavers(index, recursion: recursion) { _ in true }
    }
    guard workspace.rows.count > 0 else { return }
    let stream = workspace.block(workspace.rows.count)
    gather(workspace.resident, at: workspace.places, into: stream)
    locateRows(.block)
    for (index, layer) in weights.block[recursion].enumerated() { try storeKeys(of: stream, layer, index) }
  }

  /// The keys and values that a layer of the block makes of `stream`, without running it.
  private func storeKeys(of stream: FloatRows, _ layer: LayerWeights, _ index: Int) throws(RallyError) {
    let qkv = workspace.qkv(stream.rowCount)
    let parts = layer.attentionInput.matrix.sources
    let (input, operation) = normalized(stream, layer.inputNorm)
    try project(
      input, after: operation, layer.attentionInput, outputs: parts[1].lowerBound..<parts[2].upperBound,
      into: qkv.columns(parts[1].lowerBound..<parts[2].upperBound))
    turn(qkv, layer, firstRow: 0, keys: true)
    storeKeys(of: qkv, .block, index)
  }
}
