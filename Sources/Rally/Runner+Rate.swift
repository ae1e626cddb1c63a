import Execution
import Scheduling
public import Tensors

extension Runner {
  /// Scores rows with a rater; higher is better.
  ///
  /// Rows run the longest first, as many together as a step holds, so that the rows of a step are alike and the last
  /// steps are short; nothing is padded.
  ///
  /// - Parameters:
  ///   - squash: applies the file's squash; without it the score ranks without ties.
  ///   - timeout: seconds after which the call gives up; 0 for never.
  /// - Returns: one score per row.
  /// - Throws: `wrongKind`; `emptyInput`, `contextExceeded`, `invalidToken`; `outOfMemory`; `cancelled`,
  ///   `deadlineExceeded`.
  public func rate(
    _ batch: RowBatch, squash: Bool = false, timeout: Double = 0
  ) throws(RallyError) -> [Float] {
    try model.require(.rater, for: "rate")
    try check(batch)
    guard let head = raterHead, let rater = model.description.rater else { return [] }
    var scores = Array(repeating: Float.nan, count: batch.rowCount)
    let plan = StepPlan(
      offsets: batch.offsets, stepTokenCount: stepTokenCount, wholeRows: true,
      order: StepPlan.longestFirst(batch.offsets))
    try runSteps(plan, of: batch, RowPolicy(limit: 1), timeout: timeout) { (pieces) throws(RallyError) in
      var start = 0
      for piece in pieces {
        let rows = start..<start + piece.tokens.count
        let score = try head.score(forward.hidden.rows(rows))
        scores[piece.row] = squash ? rater.squash(score) : score
        start = rows.upperBound
      }
    }
    return scores
  }
}
