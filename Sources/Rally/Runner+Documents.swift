import Engine
public import Files
public import Models

extension Model {
  /// Plans the windows of documents, for `Runner.rate(_:squash:timeout:)`.
  ///
  /// - Parameters:
  ///   - documents: of any lengths, as the tokenizer encodes them.
  ///   - options: which parts of them are read.
  /// - Throws: `wrongKind`; `emptyInput`, `invalidToken`; `invalidArgument`, `limitExceeded`.
  public func plan(
    _ documents: RowBatch, options: DocumentOptions = DocumentOptions()
  ) throws(RallyError) -> DocumentPlan {
    try require(.rater, for: "rate_documents")
    try documents.check(vocabularySize: info.vocabularySize, contextLength: .max)
    return try DocumentPlan(
      documents, frame: textFrame, contextLength: info.contextLength, reading: description.rater?.reading ?? .init(),
      options: options)
  }

  private var textFrame: TextFrame {
    guard let roles = tokenizer?.roles else { return TextFrame() }
    return TextFrame(
      first: roles.addsBeginningOfSequence ? roles.beginningOfSequence : nil,
      last: roles.addsEndOfSequence ? roles.endOfSequence : nil)
  }
}

extension Runner {
  /// Scores documents window by window; the windows of all documents run together, as the rows of `rate` do.
  ///
  /// - Parameters:
  ///   - plan: of this runner's own model.
  ///   - squash: applies the file's squash to every window's score.
  ///   - outputs: fills `DocumentScores.outputs`; the scores are NaN where the rater's outputs make none.
  ///   - timeout: seconds after which the call gives up; 0 for never.
  /// - Throws: as `rate`.
  public func rate(
    _ plan: DocumentPlan, squash: Bool = false, outputs: Bool = false, timeout: Double = 0
  ) throws(RallyError) -> DocumentScores {
    try model.requireOutputs("rate_documents")
    let windows = try plan.windows
    guard outputs, let rater = model.description.rater else {
      return plan.scores(try rate(windows, squash: squash, timeout: timeout))
    }
    var scores = Array(repeating: Float.nan, count: windows.rowCount)
    let values = try rows(windows, width: rater.outputCount, for: "rate_documents", timeout: timeout) {
      (row, pooled, head) throws(RallyError) in
      let outputs = try head(pooled)
      rater.makeProbabilities(outputs)
      let score = rater.score(outputs)
      scores[row] = squash ? rater.squash(score) : score
      return outputs
    }
    return plan.scores(scores, outputs: values)
  }
}
