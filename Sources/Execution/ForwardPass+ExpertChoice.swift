import Files
import Kernels
import Models
import Tensors

// Each recursion picks among the tokens that the one before picked; what it picked gets the gated output of the block
// added, `H_t += g_t · Y_t`. The others keep their stream and leave.

extension ForwardPass {
  /// Lets the items at `recursion` go on with the tokens that it selects, and keeps their weights.
  func route(_ routing: ModelDescription.ExpertRouting, recursion: Int) throws(RallyError) {
    for index in flight.items.indices
    where flight.items[index].recursion == recursion
      && (recursion == layout.recursionCount || flight.items[index].policy.limit <= recursion)
    {
      flight.narrow(index) { _ in false }
    }
    guard recursion < layout.recursionCount else { return }
    workspace.beginRows()
    workspace.appendActive(flight, at: recursion)
    guard workspace.rows.count > 0 else { return }
    try scoreActive(routing, recursion: recursion)
    let start = profile.start()
    workspace.keep.removeAll(keepingCapacity: true)
    for run in workspace.rows.runs { select(routing, recursion: recursion, run) }
    routing.gains(of: workspace.scores, into: &workspace.gains)
    keepSelected()
    profile.add(.routing, since: start)
  }

  /// The routers' z of the workspace's rows, from the raw residual stream.
  private func scoreActive(_ routing: ModelDescription.ExpertRouting, recursion: Int) throws(RallyError) {
    let stream = workspace.block(workspace.rows.count)
    let temperature = routing.router.temperature
    gather(workspace.resident, at: workspace.places, into: stream)
    try score(stream, weights.routers[recursion], temperature: temperature, into: &workspace.scores)
    guard !weights.auxiliaryRouters.isEmpty else { return }
    try score(
      stream, weights.auxiliaryRouters[recursion], temperature: temperature, into: &workspace.auxiliaryScores)
  }

  /// Appends to `keep` which rows of an item `recursion` selects.
  private func select(_ routing: ModelDescription.ExpertRouting, recursion: Int, _ run: RowSet.Run) {
    let item = flight.items[run.sequence]
    let capacity = routing.capacities[recursion]
    let rows = run.start..<run.start + run.count
    // With shared keys recursion 0 stores the entries of all tokens, so it runs on all of them.
    if layout.sharesKeys && recursion == 0 {
      workspace.keep.append(contentsOf: repeatElement(true, count: run.count))
    } else if item.policy.selection == .topK {
      selectTopK(max(1, Int(capacity * Double(item.rows.count))), workspace.scores[rows], into: &workspace.keep)
    } else {
      let deciding = weights.auxiliaryRouters.isEmpty ? workspace.scores : workspace.auxiliaryScores
      selectByThreshold(
        routing.function, capacity: capacity, deciding[rows], threshold: item.policy.threshold, into: &workspace.keep)
    }
  }

  private func keepSelected() {
    for (index, row) in workspace.active.enumerated() { flight.gains[Int(row)] = workspace.gains[index] }
    let keep = workspace.keep
    for run in workspace.rows.runs {
      // The item's active rows come in the order in which they were scored.
      var next = run.start
      flight.narrow(run.sequence) { _ in
        next += 1
        return keep[next - 1]
      }
    }
  }

  /// Adds what came out of the block for the workspace's rows to their streams.
  func addGated(_ stream: FloatRows, _ gating: ModelDescription.Router.Gating) {
    workspace.gains.removeAll(keepingCapacity: true)
    for row in workspace.active {
      flight.depths[Int(row)] += 1
      workspace.gains.append(flight.gains[Int(row)])
    }
    let gains = gating == .weighted ? workspace.gains : nil
    scatterAdd(stream, gains: gains, to: workspace.places, of: workspace.resident)
  }
}

/// Appends which of the scores are among the `count` largest; of equal scores the earlier goes on.
func selectTopK(_ count: Int, _ scores: ArraySlice<Float>, into keep: inout [Bool]) {
  let first = keep.count
  keep.append(contentsOf: repeatElement(false, count: scores.count))
  let ranked = scores.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }
  for index in ranked.prefix(count) { keep[first + index - scores.startIndex] = true }
}

/// Appends which of the scores say "go on": `sigmoid(z) ≥ 0.5`, under tanh `z ≥ 0`; all of them
/// where the capacity is the whole row. `threshold` is what z must reach instead of 0.
func selectByThreshold(
  _ function: ModelDescription.ExpertRouting.Function, capacity: Double, _ scores: ArraySlice<Float>,
  threshold: Float = 0, into keep: inout [Bool]
) {
  for score in scores {
    let margin = score - threshold
    keep.append(capacity >= 1 || (function == .tanh ? margin >= 0 : logistic(margin) >= 0.5))
  }
}
