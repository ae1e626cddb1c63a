import Engine
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
  let rowRoom: MatMul.RowRoom
  /// What a runner takes when it is opened.
  let openedFloatCount: Int

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
    let plans = self.plans(offsets)
    let isGenerating = newTokens > 0
    let stepCount =
      isGenerating ? min(offsets[lengths.count], batchTokenCount) : plans.reduce(0) { max($0, $1.largestStep) }
    let blocks =
      isGenerating
      ? lengths.reduce(Int128(0)) { $0 + blockCount(tokens: Int128($1) + Int128(newTokens)) }
      : Int128(plans.reduce(0) { max($0, blockCount($1, offsets: offsets)) })
    let tileRows = min(max(stepCount, lengths.count), LanguageHead.tileRowCount)
    let headFloats = description.kind == .rater ? 0 : Int128(tileRows) * Int128(description.vocabularySize)
    let longest = lengths.max() ?? 0
    let positions = min(longest + min(newTokens, description.maximumTokenCount), description.maximumTokenCount)
    let attentionFloats =
      rowMethod?.scratchCount(entries: longest, headWidth: description.headWidth)
      ?? DistanceAttention.floatCount(description, tokenCount: longest)
    let rowFloats = Int128(stepCount) * Int128(Workspace.floatCount(description))
    let floats = rowFloats + headFloats + Int128(threadCount) * Int128(attentionFloats) + Int128(openedFloatCount)
    let tables = RopeTable.byteCount(description, positionCount: positions) + rowRoom.totalByteCount(rowCount: stepCount)
    let caches = blocks * Int128(pageByteCount + MemoryLayout<Int>.stride) + Int128(stepCount) * Int128(Self.line)
    let others = isGenerating ? generatingByteCount(sequenceCount: lengths.count) : 0
    let all = caches + floats * Int128(MemoryLayout<Float>.stride) + Int128(tables) + others + Int128(64 * Self.line)
    guard let bytes = Int(exactly: all) else {
      throw RallyError(.limitExceeded, "memory", expected: "a number of bytes below 2⁶³", found: "more")
    }
    return bytes
  }

  /// Storages are no smaller than a line.
  private static let line = 64

  /// The ways in which calls may cut these rows into steps.
  private func plans(_ offsets: [Int]) -> [StepPlan] {
    guard description.kind == .languageModel else {
      return [
        StepPlan(
          offsets: offsets, stepTokenCount: batchTokenCount, wholeRows: true, order: StepPlan.longestFirst(offsets))
      ]
    }
    return [true, false].map { StepPlan(offsets: offsets, stepTokenCount: batchTokenCount, wholeRows: $0) }
  }

  /// Sampling, and what finds the blocks of sequences.
  private func generatingByteCount(sequenceCount: Int) -> Int128 {
    let whole = layout.blockCount(tokenCount: description.maximumTokenCount)
    return Int128(threadCount) * Int128(TokenSampler.byteCount(vocabularySize: description.vocabularySize))
      + Int128(sequenceCount) * Int128(whole + 16) * Int128(MemoryLayout<Int>.stride)
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
