import Engine
import Execution
public import Files
import Kernels
import Models
import Scheduling
import Tensors

extension Runner {
  /// Scores rows with a rater; higher is better.
  ///
  /// Rows run the longest first, as many together as a step holds, so that the rows of a step are alike and the last
  /// steps are short; nothing is padded.
  ///
  /// - Parameters:
  ///   - batch: token ids, each row as the rater reads it.
  ///   - squash: applies the file's squash; without it the score ranks without ties.
  ///   - timeout: seconds after which the call gives up; 0 for never.
  /// - Returns: one score per row.
  /// - Throws: `wrongKind`; `unsupported` where the rater has several outputs of which none is the score; `emptyInput`,
  ///   `contextExceeded`, `invalidToken`; `outOfMemory`; `cancelled`, `deadlineExceeded`.
  public func rate(
    _ batch: RowBatch, squash: Bool = false, timeout: Double = 0
  ) throws(RallyError) -> [Float] {
    try model.requireScore("rate")
    guard let rater = model.description.rater else { return [] }
    var scores = Array(repeating: Float.nan, count: batch.rowCount)
    try forEachPooled(batch, for: "rate", timeout: timeout) { (row, pooled, head) throws(RallyError) in
      let outputs = try head(pooled)
      rater.makeProbabilities(outputs)
      let score = rater.score(outputs)
      scores[row] = squash ? rater.squash(score) : score
    }
    return scores
  }

  /// All outputs of a rater.
  ///
  /// - Parameters:
  ///   - batch: token ids, each row as the rater reads it.
  ///   - probabilities: the outputs as the file's score rule makes probabilities of them; false: as they are.
  ///   - timeout: seconds after which the call gives up; 0 for never.
  /// - Returns: [rows, n], row-major, in the order of `ModelInfo.labels`.
  /// - Throws: as `rate`; `unsupported` for probabilities where the rule has none.
  public func rateOutputs(
    _ batch: RowBatch, probabilities: Bool = false, timeout: Double = 0
  ) throws(RallyError) -> [Float] {
    try model.requireOutputs("rate_outputs")
    guard let rater = model.description.rater else { return [] }
    guard !probabilities || rater.hasProbabilities else {
      throw RallyError(
        .unsupported, "probabilities", expected: "a score rule softmax, expectation or sigmoid",
        found: "\(rater.score.name)", remedy: "ask for the outputs as they are")
    }
    return try rows(batch, width: rater.outputCount, for: "rate_outputs", timeout: timeout) {
      (_, pooled, head) throws(RallyError) in
      let outputs = try head(pooled)
      if probabilities { rater.makeProbabilities(outputs) }
      return outputs
    }
  }

  /// What a rater's head sees of each row: the state after pooling and the final norm, as an embedding of the row.
  ///
  /// - Parameters:
  ///   - batch: token ids, each row as the rater reads it.
  ///   - normalize: divides each row by its length, √Σx²; a row of zeros stays.
  ///   - timeout: seconds after which the call gives up; 0 for never.
  /// - Returns: [rows, D], row-major.
  /// - Throws: as `rate`.
  public func pooled(
    _ batch: RowBatch, normalize: Bool = false, timeout: Double = 0
  ) throws(RallyError) -> [Float] {
    try rows(batch, width: model.info.hiddenSize, for: "pooled", timeout: timeout) { (_, pooled, _) throws(RallyError) in
      if normalize { Self.normalizeLength(pooled) }
      return pooled
    }
  }

  private static func normalizeLength(_ row: FloatRows) {
    let length = unsafe Rows.dot(row.base, row.base, count: row.width).squareRoot()
    guard length > 0 else { return }
    for column in 0..<row.width { unsafe row.base[column] /= length }
  }

  /// One vector of `width` numbers per row.
  func rows(
    _ batch: RowBatch, width: Int, for operation: String, timeout: Double,
    _ vector: (_ row: Int, _ pooled: FloatRows, _ head: RaterHead) throws(RallyError) -> FloatRows
  ) throws(RallyError) -> [Float] {
    let (count, overflow) = batch.rowCount.multipliedReportingOverflow(by: width)
    guard !overflow, count <= Int(Int32.max) else {
      throw RallyError(
        .limitExceeded, operation, expected: "at most \(Int32.max) numbers of one call", found: "more",
        remedy: "give fewer rows at once")
    }
    var result = Array(repeating: Float.nan, count: count)
    try forEachPooled(batch, for: operation, timeout: timeout) { (row, pooled, head) throws(RallyError) in
      let values = try vector(row, pooled, head)
      for column in 0..<width { result[row * width + column] = unsafe values.base[column] }
    }
    return result
  }

  /// Runs all rows and calls `body` with each one's number and pooled state.
  func forEachPooled(
    _ batch: RowBatch, for operation: String, timeout: Double,
    _ body: (_ row: Int, _ pooled: FloatRows, _ head: RaterHead) throws(RallyError) -> Void
  ) throws(RallyError) {
    try model.require(.rater, for: operation)
    try check(batch)
    guard let head = raterHead else { return }
    let plan = StepPlan(
      offsets: batch.offsets, stepTokenCount: stepTokenCount, wholeRows: true,
      order: StepPlan.longestFirst(batch.offsets))
    try runSteps(plan, of: batch, RowPolicy(limit: 1), timeout: timeout) { (pieces) throws(RallyError) in
      var start = 0
      for piece in pieces {
        let rows = start..<start + piece.tokens.count
        try body(piece.row, try head.pool(forward.hidden.rows(rows), tokens: batch.tokens[piece.tokens]), head)
        start = rows.upperBound
      }
    }
  }
}
