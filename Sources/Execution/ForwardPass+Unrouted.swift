import Kernels
import Models
import Tensors

extension ForwardPass {
  /// Vanilla models, plain Recursive models and raters: every token runs every recursion, or as
  /// many as its budget allows; nothing is gated.
  func runUnrouted(_ step: inout Step) throws(RallyError) {
    let recursionCount = layout.recursionCount
    workspace.setDepths { min(step.maximumDepth[$0], Int32(recursionCount)) }
    if !description.layers.repeatsWholeBlock {
      for layer in 0..<layout.blockLayerCount {
        for recursion in 0..<recursionCount {
          try runUnrouted(layers: layer..<layer + 1, at: recursion, &step)
        }
      }
    } else {
      for recursion in 0..<recursionCount {
        try runUnrouted(layers: 0..<layout.blockLayerCount, at: recursion, &step)
      }
    }
  }

  /// Runs the layers on the tokens whose depth exceeds `recursion`.
  private func runUnrouted(
    layers: Range<Int>, at recursion: Int, _ step: inout Step
  ) throws(RallyError) {
    workspace.active.removeAll(keepingCapacity: true)
    for row in 0..<step.tokenCount where workspace.depths[row] > recursion {
      workspace.active.append(Int32(row))
    }
    guard !workspace.active.isEmpty else { return }
    let isLast = layers.upperBound == layout.blockLayerCount
    if workspace.active.count == step.tokenCount {
      try run(layers: layers, at: recursion, on: workspace.hidden, &step.rows, step.caches)
      if isLast { storeEntries(of: recursion, step.rows, step.caches) }
    } else {
      workspace.rows.assign(from: step.rows, at: workspace.active)
      let stream = workspace.block(workspace.active.count)
      gather(workspace.hidden, at: workspace.active, into: stream)
      try run(layers: layers, at: recursion, on: stream, &workspace.rows, step.caches)
      scatter(stream, to: workspace.active, of: workspace.hidden)
      if isLast { storeEntries(of: recursion, workspace.rows, step.caches) }
    }
  }
}
