package import Files
import Glibc
import Kernels
package import Models
package import Tensors

/// From the residual stream of whole rows to the outputs of each row.
package final class RaterHead {
  private let forward: ForwardPass
  private let rater: ModelDescription.Rater
  private let weights: RaterHeadWeights
  private let pooled: FloatStorage  // [D]
  private let hidden: FloatStorage  // [M], of an MLP head
  private let outputs: FloatStorage  // [n]

  package var floatCount: Int { pooled.count + hidden.count + outputs.count }

  /// - Throws: `outOfMemory`.
  package init(
    forward: ForwardPass, rater: ModelDescription.Rater, weights: RaterHeadWeights
  ) throws(RallyError) {
    self.forward = forward
    self.rater = rater
    self.weights = weights
    pooled = try FloatStorage(count: forward.description.hiddenSize)
    hidden = try FloatStorage(count: weights.hidden?.matrix.outputs ?? 0)
    outputs = try FloatStorage(count: rater.outputCount)
  }

  /// nil for a language model.
  package convenience init?(_ forward: ForwardPass) throws(RallyError) {
    guard let rater = forward.description.rater, let weights = forward.weights.raterHead else { return nil }
    try self.init(forward: forward, rater: rater, weights: weights)
  }

  /// What the head sees of a row, after pooling and the final norm, [1, D]; with late pooling what its last linear map sees.
  /// Valid until the next call.
  ///
  /// - Parameters:
  ///   - stream: of the row, [T, D]; overwritten.
  ///   - tokens: its ids, [T].
  /// - Throws: `outOfMemory`.
  package func pool(_ stream: FloatRows, tokens: ArraySlice<Int32>) throws(RallyError) -> FloatRows {
    let norm = forward.weights.finalNorm
    if rater.finalNorm == .tokens { forward.normalize(stream, norm) }
    var states = stream
    if rater.pooling == .late {
      states = forward.workspace.projected(stream.rowCount)
      try applyHidden(stream, into: states)
    }
    let vector = reduce(states, tokens)
    if rater.finalNorm == .pooled { forward.normalize(vector, norm) }
    return vector
  }

  /// The outputs z of a pooled row, [1, n]. Valid until the next call.
  /// - Throws: `outOfMemory`.
  package func callAsFunction(_ pooled: FloatRows) throws(RallyError) -> FloatRows {
    let inner = try innerState(pooled)
    let result = outputs.rows(1, width: outputs.count)
    for output in 0..<result.width {
      let weight = unsafe weights.output.base + output * inner.width
      unsafe result.base[output] = Rows.dot(inner.base, weight, count: inner.width) + weights.bias.base[output]
    }
    return result
  }

  /// What the last linear map reads, [1, D] or [1, M].
  private func innerState(_ pooled: FloatRows) throws(RallyError) -> FloatRows {
    guard weights.hidden != nil, rater.pooling != .late else { return pooled }
    let inner = hidden.rows(1, width: hidden.count)
    try applyHidden(pooled, into: inner)
    return inner
  }

  /// The first layer of an MLP head: inner = norm(act(W·states + b)), [n, D] → [n, M].
  private func applyHidden(_ states: FloatRows, into inner: FloatRows) throws(RallyError) {
    guard let projection = weights.hidden, case .mlp(let activation) = rater.head else { return }
    try forward.project(states, projection, into: inner)
    forward.apply(.activate(activation), to: inner)
    forward.normalize(inner, weights.norm)
  }

  private func reduce(_ stream: FloatRows, _ tokens: ArraySlice<Int32>) -> FloatRows {
    let result = pooled.rows(1, width: stream.width)
    switch rater.pooling {
    case .mean, .late:
      unsafe Rows.mean(
        stream.base, stride: stream.stride, into: result.base, rows: stream.rowCount, width: stream.width)
    case .first:
      unsafe result.base.update(from: stream.base, count: stream.width)
    case .last:
      unsafe result.base.update(from: stream.pointer(row: lastRow(tokens)), count: stream.width)
    }
    return result
  }

  /// The last token's that is no padding; the first one where all are, as in `transformers`.
  private func lastRow(_ tokens: ArraySlice<Int32>) -> Int {
    guard let pad = rater.padToken else { return tokens.count - 1 }
    return (tokens.lastIndex { $0 != pad } ?? tokens.startIndex) - tokens.startIndex
  }
}
