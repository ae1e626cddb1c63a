import Execution
public import Files
import Kernels
import Models
import Scheduling

/// How much memory calls of given sizes take, besides the weights.
public struct RunnerMemory: Sendable {
  let description: ModelDescription
  let layout: CacheLayout
  /// Of a block of the cache.
  let pageByteCount: Int
  let batchTokenCount: Int
  let threadCount: Int
  /// `ForwardPass.rowMethod`.
  let rowMethod: SelfAttention?

  /// Greatest number of bytes for rows of these lengths.
  ///
  /// - Parameters:
  ///   - offsets: row i has `offsets[i + 1] − offsets[i]` tokens; ascending from 0.
  ///   - newTokens: tokens generated per row, all rows together; 0 for `run` and `rate`.
  /// - Throws: `emptyInput` without rows; `invalidArgument` where the offsets do not ascend; `contextExceeded` for a row that no call takes; `limitExceeded` when the number does not
  ///   fit 63 bits.
  public func byteCount(offsets: [Int], newTokens: Int) throws(RallyError) -> Int {
    guard let first = offsets.first, offsets.count > 1 else { throw .noRows }
    guard first >= 0 else {
      throw RallyError(.invalidArgument, "row_offsets[0]", expected: "at least 0", found: "\(first)")
    }
    try RowBatch.checkAscending(offsets)
    let lengths = (0..<offsets.count - 1).map { offsets[$0 + 1] - offsets[$0] }
    for (row, length) in lengths.enumerated() where length > description.maximumTokenCount {
      throw .rowTooLong(row, length, description.maximumTokenCount)
    }
    let plan = StepPlan(
      offsets: offsets, stepTokenCount: batchTokenCount, wholeRows: true,
      order: description.kind == .rater ? StepPlan.longestFirst(offsets) : nil)
    let isGenerating = newTokens > 0
    let stepCount = isGenerating ? min(offsets[lengths.count], batchTokenCount) : plan.largestStep
    let blocks =
      isGenerating
      ? lengths.reduce(Int128(0)) { $0 + blockCount(tokens: Int128($1) + Int128(newTokens)) }
      : Int128(blockCount(plan, offsets: offsets))
    let tileRows = min(max(stepCount, lengths.count), LanguageHead.tileRowCount)
    let headFloats = description.kind == .rater ? 0 : Int128(tileRows) * Int128(description.vocabularySize)
    let longest = lengths.max() ?? 0
    let attentionFloats =
      rowMethod?.scratchCount(entries: longest, headWidth: description.headWidth)
      ?? DistanceAttention.floatCount(description, tokenCount: longest)
    let rowFloats = Int128(stepCount) * Int128(Workspace.floatCount(description))
    let floats = rowFloats + headFloats + Int128(threadCount) * Int128(attentionFloats)
    guard let bytes = Int(exactly: blocks * Int128(pageByteCount) + floats * Int128(MemoryLayout<Float>.stride)) else {
      throw RallyError(.limitExceeded, "memory", expected: "a number of bytes below 2⁶³", found: "more")
    }
    return bytes
  }

  /// Blocks of the rows that one step of the plan touches, at most.
  func blockCount(_ plan: StepPlan, offsets: [Int]) -> Int {
    plan.steps.reduce(0) { most, step in
      max(most, step.reduce(0) { $0 + layout.blockCount(tokenCount: offsets[$1.row + 1] - offsets[$1.row]) })
    }
  }

  private func blockCount(tokens: Int128) -> Int128 {
    Int128(layout.blockCount(tokenCount: Int(min(tokens, Int128(description.maximumTokenCount)))))
  }
}
