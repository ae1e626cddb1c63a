import Execution
import Scheduling

/// A number that an engine keeps, by its name.
public struct EngineCounter: Sendable, Equatable {
  public var name: String
  public var value: Double
}

extension Engine {
  /// What the engine had done and held when its last step ended; names ending in `_total` only grow, `seconds_` are the
  /// driver's time. Any thread.
  public var counters: [EngineCounter] {
    zip(board.names, board.read()).map { EngineCounter(name: $0, value: $1) }
  }

  static func counterNames(recursionCount: Int) -> [String] {
    [
      "requests_submitted_total", "requests_finished_total", "requests_cancelled_total", "requests_waiting",
      "requests_running", "preemptions_total", "prompt_tokens_total", "prompt_tokens_shared_total",
      "generated_tokens_total", "passes_total", "pass_rows_total", "blocks", "blocks_used", "sequences_retained",
      "cache_bytes",
    ] + (0...recursionCount).map { "tokens_depth_\($0)_total" }
      + Profile.Part.allCases.map { "seconds_\($0)_total" }
  }

  /// Puts the numbers of now on the board, in the order of their names.
  func publishCounters() {
    let blocks = pages.blocks
    board.write { values in
      values.append(Double(tally.submittedCount))
      values.append(Double(tally.finishedCount))
      values.append(Double(tally.cancelledCount))
      values.append(Double(scheduler.waiting.count))
      values.append(Double(scheduler.running.count))
      values.append(Double(scheduler.preemptionCount))
      values.append(Double(tally.promptCount))
      values.append(Double(scheduler.sharedTokenCount))
      values.append(Double(tally.generatedCount))
      values.append(Double(tally.passCount))
      values.append(Double(tally.passRowCount))
      values.append(Double(blocks.capacity))
      values.append(Double(blocks.usedCount))
      values.append(Double(scheduler.retainedCount))
      values.append(Double(pages.byteCount))
      for count in tally.tokensByDepth { values.append(Double(count)) }
      for part in Profile.Part.allCases { values.append(forward.profile.seconds(part)) }
    }
  }
}
