import Files
import Glibc
import Kernels
import Models
import Tensors

// What a looped model does between the repetitions of its block: the state that the first one starts from, what each takes
// in besides the state, and the norm after each.

extension ForwardPass {
  /// Sets the states that the tokens of the workspace's rows enter the block with.
  ///
  /// - Parameter stream: e, what came out of the first layers, [N, D].
  func enterLoop(_ stream: FloatRows) {
    guard case .concat(_, let initial) = description.loop?.injection else { return }
    scatter(stream, to: workspace.places, of: workspace.origin)
    switch initial {
    case .embedding: break
    case .zeros: fill { _, _ in 0 }
    case .seeded(let deviation, let seed):
      let state = SeededState(deviation: deviation, seed: seed)
      fill { position, channel in state[position, channel] }
    }
  }

  private func fill(_ value: (_ position: Int, _ channel: Int) -> Float) {
    let resident = workspace.resident
    for (row, place) in workspace.places.enumerated() {
      let position = Int(workspace.rows.positions[row])
      for channel in 0..<resident.width { resident[Int(place), channel] = value(position, channel) }
    }
  }

  /// The states of the workspace's rows as the block takes them in: A · [x ; e] (+ b), or x.
  func injected() throws(RallyError) -> FloatRows {
    let stream = workspace.block(workspace.rows.count)
    guard let adapter = weights.adapter else {
      gather(workspace.resident, at: workspace.places, into: stream)
      return stream
    }
    let joined = workspace.joined(workspace.rows.count)
    gather(workspace.resident, at: workspace.places, into: joined.columns(0..<stream.width))
    gather(workspace.origin, at: workspace.places, into: joined.columns(stream.width..<2 * stream.width))
    try project(joined, adapter, into: stream)
    return stream
  }
}
