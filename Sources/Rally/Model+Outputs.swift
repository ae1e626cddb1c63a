import Execution
public import Files
public import Models

extension Model {
  /// The score as a whole number within the file's bounds, ties to even; nil where the file has no bounds, and for a NaN.
  public func integerScore(_ score: Float) -> Int? { description.rater?.integerScore(score) }

  /// Makes sure that the model is a rater whose outputs make one score.
  /// - Throws: `wrongKind`; `unsupported`, naming the outputs.
  public func requireScore(_ operation: String) throws(RallyError) {
    try requireOutputs(operation)
    guard let rater = description.rater, !rater.score.makesScore else { return }
    let labels = rater.labels.prefix(Self.namedLabelCount).map(\.quoted).joined(separator: ", ")
    let more = rater.outputCount > Self.namedLabelCount ? ", …" : ""
    throw RallyError(
      .unsupported, operation, expected: "a rater whose file says which number is the score",
      found: "\(rater.outputCount) outputs without a rule: \(labels)\(more)",
      remedy: "ask for all outputs, or convert it again with --score, such as --score softmax:LABEL")
  }

  /// Makes sure that the model is a rater with a head.
  /// - Throws: `wrongKind`; `unsupported` for one whose pooled states are all that it gives.
  func requireOutputs(_ operation: String) throws(RallyError) {
    try require(.rater, for: operation)
    guard description.rater?.head != .absent else {
      throw RallyError(
        .unsupported, operation, expected: "a rater with a head", found: "one that gives pooled states alone",
        remedy: "ask for them with pooled")
    }
  }

  /// Labels in one message: as many as large classifiers of web pages have.
  private static var namedLabelCount: Int { 32 }
}
