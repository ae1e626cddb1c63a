import Execution
import Scheduling

/// A number that an engine keeps, by its name.
public struct EngineCounter: Sendable, Equatable {
  public var name: String
  public var value: Double
}

extension Engine {
  /// What the engine has done and holds; names ending in `_total` only grow, `seconds_` are the driver's time.
  public var counters: [EngineCounter] {
    let blocks = pages.blocks
    var list: [(String, Double)] = [
      ("requests_submitted_total", Double(tally.submittedCount)),
      ("requests_finished_total", Double(tally.finishedCount)),
      ("requests_cancelled_total", Double(tally.cancelledCount)),
      ("requests_waiting", Double(scheduler.waiting.count)),
      ("requests_running", Double(scheduler.running.count)),
      ("preemptions_total", Double(scheduler.preemptionCount)),
      ("prompt_tokens_total", Double(tally.promptCount)),
      ("prompt_tokens_shared_total", Double(scheduler.sharedTokenCount)),
      ("generated_tokens_total", Double(tally.generatedCount)),
      ("passes_total", Double(tally.passCount)),
      ("pass_rows_total", Double(tally.passRowCount)),
      ("blocks", Double(blocks.capacity)),
      ("blocks_used", Double(blocks.usedCount)),
      ("sequences_retained", Double(scheduler.retainedCount)),
      ("cache_bytes", Double(pages.byteCount)),
    ]
    for (depth, count) in tally.tokensByDepth.enumerated() { list.append(("tokens_depth_\(depth)_total", Double(count))) }
    for part in Profile.Part.allCases { list.append(("seconds_\(part)_total", forward.profile.seconds(part))) }
    return list.map { EngineCounter(name: $0.0, value: $0.1) }
  }
}
