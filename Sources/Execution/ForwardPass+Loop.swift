import Files
import Glibc
import Kernels
import Models
import Tensors

// What a looped model does between the repetitions of its block: the state that the first one starts from, what each takes
// in besides the state, and the norm behind each.

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

/// The normal numbers that a looped model starts from, the same wherever a token stands in a batch.
///
/// Number (p, c) is deviation · √(−2 ln u) · cos(2π v), where u = (high + ½) / 2³² and v = (low + ½) / 2³² are the halves of
/// SplitMix64's output number p · 2²⁰ + c of the seed (Steele et al. 2014; Box & Muller 1958). Computed in f64.
package struct SeededState: Sendable {
  private let deviation: Double
  private let seed: UInt64

  package init(deviation: Double, seed: UInt64) {
    self.deviation = deviation
    self.seed = seed
  }

  package subscript(position: Int, channel: Int) -> Float {
    let index = UInt64(position) << 20 | UInt64(channel)
    var word = seed &+ (index &+ 1) &* 0x9E37_79B9_7F4A_7C15
    word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
    word ^= word >> 31
    let u = (Double(word >> 32) + 0.5) / 0x1p32
    let v = (Double(word & 0xFFFF_FFFF) + 0.5) / 0x1p32
    return Float(deviation * (-2 * log(u)).squareRoot() * cos(2 * .pi * v))
  }
}
