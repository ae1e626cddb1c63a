import Files
import Kernels
import Models
import Tensors

// One router decides, before the first recursion, how many each token runs.
//
// The stream h of a token is the block's bare output from recursion to recursion; where it leaves,
// after recursion d, its output is x0 + w · Y with x0 the stream that the router saw.

extension ForwardPass {
  /// Sets the depth of every token that enters and the weight of its last output, and keeps x0.
  ///
  /// d = argmax(p + bias), the lower on ties; w = p[d] without the bias. A token whose budget ends
  /// earlier leaves there, with the weight of its own d.
  ///
  /// - Parameter stream: x0 of the tokens of `items`, [n, D].
  func chooseDepths(
    _ routing: ModelDescription.TokenRouting, items: Range<Int>, _ stream: FloatRows
  ) throws(RallyError) {
    scatter(stream, to: workspace.places, of: workspace.origin)
    let choices = layout.recursionCount
    try score(stream, weights.routers[0], temperature: routing.router.temperature, into: &workspace.scores)
    let start = profile.start()
    var first = 0
    for index in items {
      let policy = flight.items[index].policy
      for row in flight.items[index].rows {
        let range = first..<first + choices
        routing.probabilities(&workspace.scores, in: range)
        let best = choice(range, threshold: policy.threshold)
        flight.gains[row] = workspace.scores[first + best]
        flight.depths[row] = min(Int32(best + 1), policy.limit)
        flight.limits[row] = flight.depths[row]
        first += choices
      }
      narrowByDepth(index)
    }
    profile.add(.routing, since: start)
  }

  private func choice(_ range: Range<Int>, threshold: Float) -> Int {
    func value(_ choice: Int) -> Float {
      let bias = weights.routerBias.isEmpty ? 0 : weights.routerBias[choice]
      return workspace.scores[range.lowerBound + choice] + bias - threshold * Float(choice)
    }
    var best = 0
    for choice in 1..<max(range.count, 1) where value(choice) > value(best) { best = choice }
    return best
  }

  /// Y is the stream of those that go on; the output of those whose last recursion this was is x0 + w · Y.
  func replace(by stream: FloatRows, _ gating: ModelDescription.Router.Gating) {
    scatter(stream, to: workspace.places, of: workspace.resident)
    let (origin, resident) = (workspace.origin, workspace.resident)
    for run in workspace.rows.runs {
      for index in run.start..<run.start + run.count
      where Int(flight.depths[Int(workspace.active[index])]) == run.recursion + 1 {
        let gain = gating == .weighted ? flight.gains[Int(workspace.active[index])] : 1
        let place = Int(workspace.places[index])
        for column in 0..<stream.width {
          resident[place, column] = origin[place, column] + gain * stream[index, column]
        }
      }
    }
  }
}
