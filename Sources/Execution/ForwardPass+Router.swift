import Files
import Glibc
import Kernels
import Models
import Tensors

extension ForwardPass {
  /// z of each row, [n, outputs], from the raw stream divided by the temperature.
  ///
  /// - Parameter stream: [n, D] dense. `workspace.normed` is overwritten.
  func score(
    _ stream: FloatRows, _ router: RouterWeights, temperature: Double, into scores: inout [Float]
  ) throws(RallyError) {
    var input = stream
    if temperature != 1 {
      input = workspace.normed(stream.rowCount)
      copy(stream, dividedBy: Float(temperature), to: input)
    }
    if let hidden = router.hidden {
      let inner = workspace.router(stream.rowCount)
      try project(input, hidden, into: inner)
      unsafe Activation.gelu.apply(inner.base, stride: inner.stride, rows: inner.rowCount, width: inner.width)
      input = inner
    }
    scores.removeAll(keepingCapacity: true)
    for row in 0..<input.rowCount {
      for output in 0..<router.outputCount {
        scores.append(
          unsafe Rows.dot(
            input.pointer(row: row), router.output.base + output * input.width, count: input.width))
      }
    }
  }

  private func copy(_ stream: FloatRows, dividedBy divisor: Float, to output: FloatRows) {
    for row in 0..<stream.rowCount {
      for column in 0..<stream.width { output[row, column] = stream[row, column] / divisor }
    }
  }
}

/// 1 / (1 + e^−x).
func logistic(_ x: Float) -> Float { 1 / (1 + expf(-x)) }

extension ModelDescription.ExpertRouting {
  /// g of each score: alpha · s, or z itself without a function.
  func gains(of scores: [Float], into gains: inout [Float]) {
    gains.removeAll(keepingCapacity: true)
    let alpha = Float(router.alpha)
    for score in scores {
      switch function {
      case .sigmoid: gains.append(alpha * logistic(score))
      case .tanh: gains.append(alpha * tanhf(score))
      case .none: gains.append(score)
      }
    }
  }
}

extension ModelDescription.TokenRouting {
  /// Replaces the scores of one token by p = alpha · softmax(z), or alpha · sigmoid(z).
  func probabilities(_ scores: inout [Float], in range: Range<Int>) {
    let alpha = Float(router.alpha)
    switch function {
    case .sigmoid:
      for index in range { scores[index] = alpha * logistic(scores[index]) }
    case .softmax:
      let largest = scores[range].max() ?? 0
      var sum: Float = 0
      for index in range {
        scores[index] = expf(scores[index] - largest)
        sum += scores[index]
      }
      for index in range { scores[index] = alpha * (scores[index] / sum) }
    }
  }
}
