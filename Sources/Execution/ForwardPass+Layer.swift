import Files
import Kernels
import Models
import Tensors

extension ForwardPass {
  /// One transformer layer on `stream` [N, D], in place.
  ///
  /// Pre-norm: x += Attention(norm(x)); x += MLP(norm(x)). A sandwich has a second norm on each branch, before the sum;
  /// `branch` has that one only. Post-norm: x = norm(x + Attention(x)); x = norm(x + MLP(x)).
  ///
  /// - Parameters:
  ///   - place, index: where the layer stands in the model.
  ///   - stream: of the workspace's rows.
  func run(_ layer: LayerWeights, _ place: Place, _ index: Int, on stream: FloatRows) throws(RallyError) {
    let projected = workspace.projected(stream.rowCount)
    if description.norm.position == .post {
      try attention(layer, place, index, stream, into: projected)
      add(projected, to: stream, thenNormalize: layer.inputNorm)
      try feedForward(layer, stream, into: projected)
      add(projected, to: stream, thenNormalize: layer.postNorm)
    } else {
      try attention(layer, place, index, normalized(stream, layer.inputNorm), into: projected)
      normalize(projected, layer.inputBranchNorm)
      add(projected, to: stream)
      try feedForward(layer, normalized(stream, layer.postNorm), into: projected)
      normalize(projected, layer.postBranchNorm)
      add(projected, to: stream)
    }
  }

  /// A normalised copy of `stream`, or the stream itself without a norm; valid until the next call.
  func normalized(_ stream: FloatRows, _ norm: NormWeights?) -> FloatRows {
    guard let norm else { return stream }
    let normed = workspace.normed(stream.rowCount)
    normalize(stream, norm, into: normed)
    return normed
  }

  /// In place; nothing without a norm.
  func normalize(_ stream: FloatRows, _ norm: NormWeights?) {
    if let norm { normalize(stream, norm, into: stream) }
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
    if let tables = layer.distances {
      try project(input, layer.attentionInput, into: qkv)
      attendToDistances(qkv, tables, into: attended)
      return try project(attended, layer.attentionOutput, into: output)
    }
    let queries = layer.attentionInput.matrix.sources[0]
    try project(input.rows(storing), layer.attentionInput, into: qkv.rows(storing))
    try project(input.rows(reading), layer.attentionInput, outputs: queries, into: qkv.rows(reading))
    turn(qkv.rows(storing), layer, firstRow: 0, keys: true)
    turn(qkv.rows(reading), layer, firstRow: storing.count, keys: false)
    let isWindowed = layer.layer.slidingWindow != nil
    if let rowAttention {
      attendInRows(qkv, into: attended, with: rowAttention, isWindowed: isWindowed)
    } else {
      storeKeys(of: qkv, place, index)
      attend(qkv, into: attended, place, index, isWindowed: isWindowed)
    }
    try project(attended, layer.attentionOutput, into: output)
  }

  /// Norms of the heads, then the rotation, of queries and where they are stored of keys.
  func turn(_ qkv: FloatRows, _ layer: LayerWeights, firstRow: Int, keys: Bool) {
    normalizeHeads(qkv, layer, keys: keys)
    rotate(qkv, layer.layer, firstRow: firstRow, keys: keys)
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
