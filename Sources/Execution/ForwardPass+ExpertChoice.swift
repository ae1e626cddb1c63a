import Kernels
import Models
import Tensors

extension ForwardPass {
  /// Each recursion picks among the tokens that the one before picked; what it picked gets the gated
  /// output of the block added, `H_t += g_t · Y_t`. The others keep their stream and leave.
  func runExpertChoice(_ routing: ModelDescription.ExpertRouting, _ step: inout Step) throws(RallyError) {
    workspace.setDepths { _ in 0 }
    workspace.activateAll(step.tokenCount)
    for recursion in 0..<layout.recursionCount {
      workspace.active.removeAll { step.maximumDepth[Int($0)] <= recursion }
      try scoreActive(routing, recursion: recursion)
      let scoredCount = workspace.active.count
      select(routing, recursion: recursion, step)
      guard !workspace.active.isEmpty else { return }
      // Where all were selected, the block's stream holds them already.
      if workspace.active.count < scoredCount {
        gather(workspace.hidden, at: workspace.active, into: workspace.block(workspace.active.count))
      }
      try runSelected(routing, recursion: recursion, &step)
    }
  }

  /// The routers' z of the active tokens, from the raw residual stream.
  private func scoreActive(_ routing: ModelDescription.ExpertRouting, recursion: Int) throws(RallyError) {
    let stream = workspace.block(workspace.active.count)
    let temperature = routing.router.temperature
    gather(workspace.hidden, at: workspace.active, into: stream)
    try score(stream, weights.routers[recursion], temperature: temperature, into: &workspace.scores)
    if !weights.auxiliaryRouters.isEmpty {
      try score(
        stream, weights.auxiliaryRouters[recursion], temperature: temperature,
        into: &workspace.auxiliaryScores)
    }
  }

  /// Reduces the active tokens, and their scores, to those that `recursion` selects.
  private func select(_ routing: ModelDescription.ExpertRouting, recursion: Int, _ step: Step) {
    // With shared keys recursion 0 stores the entries of all tokens, so it runs on all of them.
    if layout.sharesKeys && recursion == 0 { return }
    let capacity = routing.capacities[recursion]
    switch step.selection {
    case .topK:
      selectTopK(
        capacity: capacity, scores: workspace.scores, active: workspace.active, rows: step.rows,
        into: &workspace.keep)
    case .threshold:
      let deciding = weights.auxiliaryRouters.isEmpty ? workspace.scores : workspace.auxiliaryScores
      selectByThreshold(
        routing.function, capacity: capacity, scores: deciding, into: &workspace.keep)
    }
    workspace.reduceActiveToKept(scores: true)
  }

  /// Runs the block on the active tokens, whose stream it holds, and adds what comes out.
  private func runSelected(
    _ routing: ModelDescription.ExpertRouting, recursion: Int, _ step: inout Step
  ) throws(RallyError) {
    let stream = workspace.block(workspace.active.count)
    workspace.rows.assign(from: step.rows, at: workspace.active)
    try runBlock(recursion: recursion, on: stream, &workspace.rows, step.caches)
    for row in workspace.active { workspace.depths[Int(row)] += 1 }
    switch routing.router.gating {
    case .weighted:
      routing.gains(of: workspace.scores, into: &workspace.gains)
      scatterAdd(stream, gains: workspace.gains, to: workspace.active, of: workspace.hidden)
    case .additive:
      scatterAdd(stream, gains: nil, to: workspace.active, of: workspace.hidden)
    }
  }
}

/// Keeps the k largest scores of each sequence, k = max(1, Int(capacity · T)), T all of its tokens;
/// of equal scores the earlier token.
///
/// - Parameters:
///   - scores: z of the active tokens.
///   - active: their rows, ascending.
///   - rows: all tokens of the step, whole sequences.
///   - keep: set to one flag per active token.
func selectTopK(
  capacity: Double, scores: [Float], active: [Int32], rows: RowSet, into keep: inout [Bool]
) {
  keep.removeAll(keepingCapacity: true)
  keep.append(contentsOf: repeatElement(false, count: active.count))
  var start = 0
  for run in rows.runs {
    var end = start
    while end < active.count, Int(active[end]) < run.start + run.count { end += 1 }
    let count = max(1, Int(capacity * Double(run.count)))
    let ranked = (start..<end).sorted { (scores[$0], $1) > (scores[$1], $0) }
    for index in ranked.prefix(count) { keep[index] = true }
    start = end
  }
}

/// Keeps the tokens whose score says "go on": `sigmoid(z) ≥ 0.5`, under tanh `z ≥ 0`; all of them
/// where the capacity is the whole row.
func selectByThreshold(
  _ function: ModelDescription.ExpertRouting.Function, capacity: Double, scores: [Float], into keep: inout [Bool]
) {
  keep.removeAll(keepingCapacity: true)
  for score in scores {
    keep.append(capacity >= 1 || (function == .tanh ? score >= 0 : logistic(score) >= 0.5))
  }
}
