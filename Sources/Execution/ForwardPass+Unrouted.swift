import Files
import Kernels
import Models

// Vanilla models, plain Recursive models and raters: every token runs every recursion, or as many as its budget allows;
// nothing is gated.

extension ForwardPass {
  func fixDepths(items: Range<Int>) {
    for index in items {
      let depth = min(flight.items[index].policy.limit, Int32(layout.recursionCount))
      for row in flight.items[index].rows {
        flight.depths[row] = depth
        flight.limits[row] = depth
      }
      narrowByDepth(index)
    }
  }

  /// One layer after the other, each at all recursions, as `sequence` and `middle_sequence` share them: a single pass that
  /// brings every token through the block.
  func runLayerByLayer() throws(RallyError) {
    for layer in 0..<layout.blockLayerCount {
      for recursion in 0..<layout.recursionCount {
        workspace.beginRows()
        for index in flight.items.indices where flight.items[index].activeCount > 0 {
          workspace.append(flight, item: index, recursion: recursion) { flight.limits[$0] > recursion }
        }
        guard workspace.rows.count > 0 else { continue }
        let stream = workspace.block(workspace.rows.count)
        gather(workspace.resident, at: workspace.places, into: stream)
        locateRows(.block)
        try run(weights.block[recursion][layer], .block, layer, on: stream)
        scatter(stream, to: workspace.places, of: workspace.resident)
        if layer + 1 == layout.blockLayerCount { workspace.rows.extend(flight.caches, .block) }
      }
    }
    for index in flight.items.indices { flight.narrow(index) { _ in false } }
  }
}
