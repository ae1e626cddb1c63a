import Glibc
import Kernels
package import Models
package import Tensors

extension ModelDescription.Rater {
  /// Turns outputs z [n] into probabilities where the rule has some, in place.
  package func makeProbabilities(_ outputs: FloatRows) {
    switch score {
    case .softmax, .expectation: unsafe LogProbability.softmax(outputs.base, count: outputs.width)
    case .sigmoid: for index in 0..<outputs.width { unsafe outputs.base[index] = logistic(outputs.base[index]) }
    case .logit, .none: break
    }
  }

  /// The one score of outputs that went through `makeProbabilities`, [n]; NaN where the rule makes none.
  package func score(_ outputs: FloatRows) -> Float {
    switch score {
    case .logit(let index), .softmax(.some(let index)), .sigmoid(.some(let index)): unsafe outputs.base[index]
    case .expectation(let values):
      values.enumerated().reduce(Float(0)) { sum, value in
        unsafe sum + Float(value.element) * outputs.base[value.offset]
      }
    case .softmax(nil), .sigmoid(nil), .none: .nan
    }
  }

  /// Python's round(min(max(score, lower), upper)): ties go to the even number. Nil without bounds, and for a NaN.
  package func integerScore(_ score: Float) -> Int? {
    guard let bounds = integerScore, !score.isNaN else { return nil }
    let held = min(max(Double(score), bounds.lowerBound), bounds.upperBound)
    return Int(held.rounded(.toNearestOrEven))
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
