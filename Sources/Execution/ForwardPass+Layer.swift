import Kernels
import Models
import Tensors

extension ForwardPass {
  /// One transformer layer on `stream` [N, D], in place.
  ///
  /// Pre-norm: x += Attention(norm(x)); x += MLP(norm(x)).
  /// Post-norm: x = norm(x + Attention(x)); x = norm(x + MLP(x)).
  ///
  /// - Parameters:
  ///   - place, index: where the layer stands in the model.
  ///   - stream: of the workspace's rows.
  func run(_ layer: LayerWeights, _ place: Place, _ index: Int, on stream: FloatRows) throws(RallyError) {
    let normed = workspace.normed(stream.rowCount)
    let projected = workspace.projected(stream.rowCount)
    if description.norm.position == .post {
      try attention(layer, place, index, stream, into: projected)
      add(projected, to: stream)
      normalize(stream, layer.inputNorm, into: stream)
      try feedForward(layer, stream, into: projected)
      add(projected, to: stream)
      normalize(stream, layer.postNorm, into: stream)
    } else {
      normalize(stream, layer.inputNorm, into: normed)
      try attention(layer, place, index, normed, into: projected)
      add(projected, to: stream)
      normalize(stream, layer.postNorm, into: normed)
      try feedForward(layer, normed, into: projected)
      add(projected, to: stream)
    }
  }

  /// out = W_o · softmax(q·kᵀ / √K) · v, [N, D].
  private func attention(
    _ layer: LayerWeights, _ place: Place, _ index: Int, _ input: FloatRows, into output: FloatRows
  ) throws(RallyError) {
    let qkv = workspace.qkv(input.rowCount)
    let attended = workspace.attended(input.rowCount)
    // Rows that store keys come first; the others need queries only.
    let storing = 0..<workspace.rows.storingCount(layout, place)
    let reading = storing.count..<input.rowCount
    let queries = layer.attentionInput.matrix.sources[0]
    try project(input.rows(storing), layer.attentionInput, into: qkv.rows(storing))
    try project(input.rows(reading), layer.attentionInput, outputs: queries, into: qkv.rows(reading))
    rotate(qkv.rows(storing), firstRow: 0, keys: true)
    rotate(qkv.rows(reading), firstRow: storing.count, keys: false)
    storeKeys(of: qkv, place, index)
    attend(qkv, into: attended, place, index)
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
