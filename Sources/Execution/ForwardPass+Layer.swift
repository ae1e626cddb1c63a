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
      try feedForward(layer, sum(stream, projected, layer.inputNorm, into: stream), into: projected)
      let (rows, operation) = sum(stream, projected, layer.postNorm, into: stream)
      if let operation { apply(operation, to: rows) }
    } else {
      try attention(layer, place, index, stream, layer.inputNorm, into: projected)
      normalize(projected, layer.inputBranchNorm)
      try feedForward(layer, sum(stream, projected, layer.postNorm, into: workspace.normed(stream.rowCount)), into: projected)
      normalize(projected, layer.postBranchNorm)
      add(projected, to: stream)
    }
  }

  /// Rows that a product reads, and what becomes of them first.
  typealias Input = (rows: FloatRows, operation: RowOperation?)

  /// norm(stream), or the stream itself without a norm; valid until the next call.
  func normalized(_ stream: FloatRows, _ norm: NormWeights?) -> Input {
    guard let norm else { return (stream, nil) }
    return (workspace.normed(stream.rowCount), .normalize(norm.parameters, source: stream))
  }

  /// stream += summand, and norm(stream) in `output`; without a norm the stream itself.
  private func sum(_ stream: FloatRows, _ summand: FloatRows, _ norm: NormWeights?, into output: FloatRows) -> Input {
    guard let norm else {
      add(summand, to: stream)
      return (stream, nil)
    }
    return (output, .normalize(norm.parameters, source: stream, summand: summand))
  }

  /// out = W_o · softmax(q·kᵀ / √K) · v, [N, D], of norm(stream) where there is a norm.
  private func attention(
    _ layer: LayerWeights, _ place: Place, _ index: Int, _ stream: FloatRows, _ norm: NormWeights? = nil, into output: FloatRows
  ) throws(RallyError) {
    let (input, operation) = normalized(stream, norm)
    let qkv = workspace.qkv(input.rowCount)
    let attended = workspace.attended(input.rowCount)
    // Rows that store keys come first; the others need queries only.
    let storing = 0..<workspace.rows.storingCount(layout, place)
    let reading = storing.count..<input.rowCount
    if let tables = layer.distances {
      try project(input, after: operation, layer.attentionInput, into: qkv)
      attendToDistances(qkv, tables, into: attended)
      return try project(attended, layer.attentionOutput, into: output)
    }
    let queries = layer.attentionInput.matrix.sources[0]
    try project(input.rows(storing), after: operation?.rows(storing), layer.attentionInput, into: qkv.rows(storing))
    try project(
      input.rows(reading), after: operation?.rows(reading), layer.attentionInput, outputs: queries, into: qkv.rows(reading))
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
  private func feedForward(_ layer: LayerWeights, _ input: Input, into output: FloatRows) throws(RallyError) {
    let inner = workspace.inner(input.rows.rowCount)
    try project(input.rows, after: input.operation, layer.feedForwardInput, into: inner)
    let activated = inner.columns(0..<description.feedForwardSize)
    try project(activated, after: activation, layer.feedForwardOutput, into: output)
  }
}
