public import Tensors

extension Model {
  /// Plans the windows of documents, for `Runner.rate(_:squash:timeout:)`.
  ///
  /// - Parameter documents: of any lengths, as the tokenizer encodes them.
  /// - Throws: `wrongKind`; `emptyInput`, `invalidToken`; `invalidArgument`, `limitExceeded`.
  public func plan(
    _ documents: RowBatch, options: DocumentOptions = DocumentOptions()
  ) throws(RallyError) -> DocumentPlan {
    try require(.rater, for: "rate_documents")
    try documents.check(vocabularySize: info.vocabularySize, contextLength: .max)
    return try DocumentPlan(documents, frame: textFrame, contextLength: info.contextLength, options: options)
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
  ///   - timeout: seconds after which the call gives up; 0 for never.
  /// - Throws: as `rate`.
  public func rate(
    _ plan: DocumentPlan, squash: Bool = false, timeout: Double = 0
  ) throws(RallyError) -> DocumentScores {
    plan.scores(try rate(plan.windows, squash: squash, timeout: timeout))
  }
}
