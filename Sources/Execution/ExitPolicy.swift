package import Models

/// When tokens leave a looped model.
package struct ExitPolicy: Sendable, Equatable {
  /// What the model's rule compares with.
  package var threshold: Float
  /// Recursions that a token runs at least, from 1.
  package var minimum: Int32 = 1
  /// Position of the first token that may leave before the limit.
  package var firstPosition = 0
  package var keyValues: ModelDescription.KeyValuePolicy

  package init(threshold: Float, keyValues: ModelDescription.KeyValuePolicy) {
    self.threshold = threshold
    self.keyValues = keyValues
  }

  /// No state can make the rule let a token leave: it need not be asked.
  func isNever(_ rule: ModelDescription.Exit.Rule) -> Bool {
    switch rule {
    case .hazard: threshold >= 1
    case .latentDifference: threshold <= 0
    }
  }
}
