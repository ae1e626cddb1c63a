public import Engine
public import Files
import Models

extension Runner {
  /// Scores texts with a rater as documents: read as its file says, window by window; higher is better.
  ///
  /// - Parameters:
  ///   - texts: documents of any lengths.
  ///   - options: which parts of them are read.
  ///   - squash: applies the file's squash; without it the score ranks without ties.
  ///   - timeout: seconds after which the call gives up; 0 for never.
  /// - Returns: one score per text.
  /// - Throws: as `Model.encodeDocument`, `Model.plan` and `rate`; `emptyInput` for a text without tokens.
  public func rate(
    texts: [String], options: DocumentOptions = DocumentOptions(), squash: Bool = false, timeout: Double = 0
  ) throws(RallyError) -> [Float] {
    guard !texts.isEmpty else { return [] }
    try model.requireScore("rate")
    var documents: [[Int32]] = []
    for text in texts { documents.append(try model.encodeDocument(Array(text.utf8), options: options)) }
    return try rate(model.plan(RowBatch(documents), options: options), squash: squash, timeout: timeout).score
  }

  /// Continues prompts together until each has finished, and returns what was generated, in their order.
  ///
  /// - Parameters:
  ///   - requests: any number.
  ///   - timeout: seconds after which what is unfinished counts as cancelled; 0 for never.
  /// - Throws: as `generate(_:timeout:onPromptToken:onToken:)`.
  public func generate(_ requests: [GenerationRequest], timeout: Double = 0) throws(RallyError) -> [Generation] {
    guard !requests.isEmpty else { return [] }
    var generations = Array(repeating: Generation(), count: requests.count)
    try generate(requests, timeout: timeout) { event in
      generations[event.request].append(event)
      return .goOn
    }
    return generations
  }
}
