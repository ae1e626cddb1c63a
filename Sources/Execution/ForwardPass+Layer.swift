import Kernels
import Models
import Tensors

/// What a layer does with the keys and values of its rows.
struct KeyTarget {
  enum Use {
    /// Stores them as new entries of the slot.
    case store
    /// Computes none; the slot has an entry for every token already.
    case read
    /// Takes the slot's entries with those of its rows replaced, for this layer only.
    case replace
  }
  var slot: Int
  var use: Use
}

extension ForwardPass {
  /// One transformer layer on `stream` [N, D], in place.
  ///
  /// Pre-norm: x += Attention(norm(x)); x += MLP(norm(x)).
  /// Post-norm: x = norm(x + Attention(x)); x = norm(x + MLP(x)).
  func run(
    _ layer: LayerWeights, on stream: FloatRows, _ rows: RowSet, _ caches: [SequenceCache],
    _ target: KeyTarget
  ) throws(RallyError) {
    let normed = workspace.normed(rows.count)
    let projected = workspace.projected(rows.count)
    if description.norm.position == .post {
      try attention(layer, stream, into: projected, rows, caches, target)
      add(projected, to: stream)
      normalize(stream, layer.inputNorm, into: stream)
      try feedForward(layer, stream, into: projected)
      add(projected, to: stream)
      normalize(stream, layer.postNorm, into: stream)
    } else {
      normalize(stream, layer.inputNorm, into: normed)
      try attention(layer, normed, into: projected, rows, caches, target)
      add(projected, to: stream)
      normalize(stream, layer.postNorm, into: normed)
      try feedForward(layer, normed, into: projected)
      add(projected, to: stream)
    }
  }

  /// out = W_o · softmax(q·kᵀ / √K) · v, [N, D].
  private func attention(
    _ layer: LayerWeights, _ input: FloatRows, into output: FloatRows, _ rows: RowSet,
    _ caches: [SequenceCache], _ target: KeyTarget
  ) throws(RallyError) {
    let qkv = workspace.qkv(rows.count)
    let attended = workspace.attended(rows.count)
    let queries = layer.attentionInput.matrix.sources[0]
    try project(
      input, layer.attentionInput, outputs: target.use == .read ? queries : nil, into: qkv)
    rotate(qkv, rows, keys: target.use != .read)
    let slot = try placeKeys(of: qkv, rows, caches, target)
    attend(qkv, into: attended, rows, caches, slot: slot)
    try project(attended, layer.attentionOutput, into: output)
  }

  /// out = W_down · (act(W_gate x) · W_up x), or W_down · act(W_up x), [N, D].
  private func feedForward(
    _ layer: LayerWeights, _ input: FloatRows, into output: FloatRows
  ) throws(RallyError) {
    let inner = workspace.inner(input.rowCount)
    try project(input, layer.feedForwardInput, into: inner)
    let activated = activate(inner)
    try project(activated, layer.feedForwardOutput, into: output)
  }
}
