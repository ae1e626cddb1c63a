import Execution
import Models
import Scheduling
public import Tensors

/// How much memory calls of given sizes take, beside the weights.
public struct RunnerMemory: Sendable {
  let description: ModelDescription
  let layout: CacheLayout
  let batchTokenCount: Int

  /// Greatest number of bytes for rows of these lengths.
  ///
  /// - Parameters:
  ///   - offsets: row i has `offsets[i + 1] − offsets[i]` tokens; ascending from 0.
  ///   - newTokens: tokens generated per row, all rows together; 0 for `run` and `rate`.
  /// - Throws: `limitExceeded` when the number does not fit 64 bits.
  public func byteCount(offsets: [Int], newTokens: Int) throws(RallyError) -> Int {
    let rowCount = offsets.count - 1
    let tokenCount = offsets[rowCount]
    let stepCount = newTokens > 0 ? min(tokenCount, batchTokenCount) : largestStep(offsets)
    let pages = newTokens > 0 ? generationPageCount(offsets, newTokens) : runPageCount(offsets)
    let pageBytes = 2 * PagePool.entriesPerPage * layout.entryWidth * MemoryLayout<Float>.stride
    let tileRows = min(max(stepCount, rowCount), LanguageHead.tileRowCount)
    let logits = tileRows.multipliedReportingOverflow(by: description.vocabularySize * MemoryLayout<Float>.stride)
    let cache = pages?.multipliedReportingOverflow(by: pageBytes)
    let workspace = stepCount.multipliedReportingOverflow(by: Workspace.byteCount(description, rowCount: 1))
    guard let cache, !cache.overflow, !logits.overflow, !workspace.overflow else { throw Self.tooMuch }
    let (sum, overflow) = cache.partialValue.addingReportingOverflow(workspace.partialValue)
    let (total, overflows) = sum.addingReportingOverflow(logits.partialValue)
    guard !overflow, !overflows else { throw Self.tooMuch }
    return total
  }

  /// Pages of the rows that one step of the plan touches, at most.
  func pageCount(_ plan: StepPlan, offsets: [Int]) -> Int {
    plan.steps.reduce(0) { most, step in
      max(most, step.reduce(0) { $0 + layout.pageCount(tokenCount: offsets[$1.row + 1] - offsets[$1.row]) })
    }
  }

  private func largestStep(_ offsets: [Int]) -> Int { plan(offsets).largestStep }
  private func runPageCount(_ offsets: [Int]) -> Int? { pageCount(plan(offsets), offsets: offsets) }

  /// The plan with the largest steps: whole rows.
  private func plan(_ offsets: [Int]) -> StepPlan {
    StepPlan(offsets: offsets, stepTokenCount: batchTokenCount, wholeRows: true)
  }

  private func generationPageCount(_ offsets: [Int], _ newTokens: Int) -> Int? {
    var count = 0
    for row in 0..<offsets.count - 1 {
      let (length, overflow) = (offsets[row + 1] - offsets[row]).addingReportingOverflow(newTokens)
      let bounded = overflow ? description.maximumTokenCount : min(length, description.maximumTokenCount)
      count += layout.pageCount(tokenCount: bounded)
    }
    return count
  }

  private static var tooMuch: RallyError {
    RallyError(.limitExceeded, "memory", expected: "a number of bytes below 2⁶³", found: "more")
  }
}
