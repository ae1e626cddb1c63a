import Kernels
import Models
import Tensors

extension ForwardPass {
  /// One router decides, before the first recursion, how many each token runs.
  ///
  /// The stream h of a token is the block's bare output from recursion to recursion; where it leaves,
  /// after recursion d, its output is x0 + w · Y with x0 the stream that the router saw.
  func runTokenChoice(_ routing: ModelDescription.TokenRouting, _ step: inout Step) throws(RallyError) {
    try chooseDepths(routing, step)
    workspace.activateAll(step.tokenCount)
    workspace.rows.assign(from: step.rows, at: workspace.active)
    gather(workspace.hidden, at: workspace.active, into: workspace.block(step.tokenCount))
    for recursion in 0..<layout.recursionCount {
      let stream = workspace.block(workspace.active.count)
      try runBlock(recursion: recursion, on: stream, &workspace.rows, step.caches)
      leave(routing.router.gating, at: recursion, stream)
      continueBeyond(recursion, stream)
      guard !workspace.active.isEmpty else { return }
      workspace.rows.assign(from: step.rows, at: workspace.active)
    }
  }

  /// Sets the depth of every token and the weight of its last output.
  ///
  /// d = argmax(p + bias), the lower on ties; w = p[d] without the bias. A token whose budget ends
  /// earlier leaves there, with the weight of its own d.
  private func chooseDepths(_ routing: ModelDescription.TokenRouting, _ step: Step) throws(RallyError) {
    let count = layout.recursionCount
    try score(
      workspace.hidden, weights.routers[0], temperature: routing.router.temperature,
      into: &workspace.scores)
    workspace.setDepths { _ in 0 }
    workspace.gains.removeAll(keepingCapacity: true)
    for row in 0..<step.tokenCount {
      let range = row * count..<(row + 1) * count
      routing.probabilities(&workspace.scores, in: range)
      var best = 0
      for choice in 1..<max(count, 1) where biased(range, choice) > biased(range, best) {
        best = choice
      }
      workspace.gains.append(workspace.scores[range.lowerBound + best])
      workspace.depths[row] = min(Int32(best + 1), step.maximumDepth[row])
    }
  }

  private func biased(_ range: Range<Int>, _ choice: Int) -> Float {
    let bias = weights.routerBias.isEmpty ? 0 : weights.routerBias[choice]
    return workspace.scores[range.lowerBound + choice] + bias
  }

  /// Adds the outputs of the tokens whose last recursion this was to what the router saw of them.
  private func leave(_ gating: ModelDescription.Router.Gating, at recursion: Int, _ stream: FloatRows) {
    for (index, row) in workspace.active.enumerated()
    where Int(workspace.depths[Int(row)]) == recursion + 1 {
      let gain = gating == .weighted ? workspace.gains[Int(row)] : 1
      addRow(index, of: stream, times: gain, to: Int(row), of: workspace.hidden)
    }
  }

  /// Closes the ranks: the tokens that go on move to the front of the stream.
  private func continueBeyond(_ recursion: Int, _ stream: FloatRows) {
    workspace.kept.removeAll(keepingCapacity: true)
    workspace.keep.removeAll(keepingCapacity: true)
    for (index, row) in workspace.active.enumerated() {
      let goesOn = Int(workspace.depths[Int(row)]) > recursion + 1
      workspace.keep.append(goesOn)
      if goesOn { workspace.kept.append(Int32(index)) }
    }
    gather(stream, at: workspace.kept, into: workspace.projected(workspace.kept.count))
    workspace.swapBlockAndProjected()
    workspace.reduceActiveToKept(scores: false)
  }
}
