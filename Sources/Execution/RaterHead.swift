import Glibc
import Kernels
package import Models
package import Tensors

/// From the residual stream of whole rows to one raw score per row.
package final class RaterHead {
  private let forward: ForwardPass
  private let rater: ModelDescription.Rater
  private let weights: RaterHeadWeights
  private let pooled: FloatStorage  // [D]
  private let hidden: FloatStorage  // [M], of an MLP head

  /// - Throws: `outOfMemory`.
  package init(
    forward: ForwardPass, rater: ModelDescription.Rater, weights: RaterHeadWeights
  ) throws(RallyError) {
    self.forward = forward
    self.rater = rater
    self.weights = weights
    pooled = try FloatStorage(count: forward.description.hiddenSize)
    hidden = try FloatStorage(count: weights.hidden?.matrix.outputs ?? 0)
  }

  /// The score of the row whose stream is `stream` [T, D], which is overwritten.
  /// - Throws: `outOfMemory`.
  package func score(_ stream: FloatRows) throws(RallyError) -> Float {
    let norm = forward.weights.finalNorm
    if let norm, rater.finalNorm == .tokens { forward.normalize(stream, norm, into: stream) }
    var vector = pool(stream)
    if let norm, rater.finalNorm == .pooled { forward.normalize(vector, norm, into: vector) }
    if let projection = weights.hidden, case .mlp(let activation) = rater.head {
      let inner = hidden.rows(1, width: hidden.count)
      try forward.project(vector, projection, into: inner)
      unsafe Activation(activation).apply(inner.base, stride: inner.stride, rows: 1, width: inner.width)
      vector = inner
    }
    return unsafe Rows.dot(vector.base, weights.output.base, count: vector.width) + weights.bias
  }

  private func pool(_ stream: FloatRows) -> FloatRows {
    let result = pooled.rows(1, width: stream.width)
    switch rater.pooling {
    case .mean:
      unsafe Rows.mean(
        stream.base, stride: stream.stride, into: result.base, rows: stream.rowCount, width: stream.width)
    case .first:
      unsafe result.base.update(from: stream.base, count: stream.width)
    case .last:
      unsafe result.base.update(from: stream.pointer(row: stream.rowCount - 1), count: stream.width)
    }
    return result
  }
}

extension ModelDescription.Rater.Squash {
  /// The squashed score, as the file says.
  package func callAsFunction(_ score: Float) -> Float {
    switch self {
    case .none: score
    case .sigmoid(let temperature): logistic(score / Float(temperature))
    case .clamp(let temperature, let minimum, let maximum):
      min(max(logistic(score / Float(temperature)), Float(minimum)), Float(maximum))
    }
  }
}

extension Activation {
  fileprivate init(_ activation: ModelDescription.Rater.HeadActivation) {
    switch activation {
    case .silu: self = .silu
    case .gelu: self = .gelu
    case .geluTanh: self = .geluTanh
    case .relu: self = .relu
    case .tanh: self = .tanh
    }
  }
}
