import Execution
import Kernels
public import Tensors

extension Runner {
  /// Continues a batch of prompts together until each has finished. Selection is by threshold.
  ///
  /// - Parameters:
  ///   - timeout: seconds after which what is unfinished counts as cancelled; 0 for never.
  ///   - onPromptToken: called with each prompt token's request, index and depth.
  ///   - onToken: called with each generated token, request by request within a step.
  /// - Throws: `wrongKind`; `unsupported` for a hybrid cache; `emptyInput`, `contextExceeded`, `invalidToken`, `invalidArgument`;
  ///   `outOfMemory`. Cancelling is not an error: it is the finish reason of what was unfinished.
  /// - Complexity: allocates nothing per token once the prompts have run.
  public func generate(
    _ requests: [GenerationRequest], timeout: Double = 0,
    onPromptToken: ((_ request: Int, _ index: Int, _ depth: Int32) -> Void)? = nil,
    onToken: (TokenEvent) -> EventReply
  ) throws(RallyError) {
    try require(.languageModel, for: "generate")
    guard let head else { return }
    guard !forward.needsWholeRows(under: .threshold) else {
      throw RallyError(
        .unsupported, "generate", expected: "a cache that can be kept, recursion or shared",
        found: "kv_cache hybrid, whose keys and values live for one pass over a whole row",
        remedy: "run whole rows")
    }
    let batch = RowBatch(requests.map(\.tokens))
    try check(batch)
    var job = try GenerationJob(requests, runner: self, head: head)
    interruption.begin(timeout: timeout)
    while job.isUnfinished {
      if isInterrupted {
        return job.cancel(onToken)
      } else {
        try job.step(onPromptToken, onToken)
      }
    }
  }

  private var isInterrupted: Bool {
    do throws(RallyError) {
      try interruption.check()
      return false
    } catch {
      return true
    }
  }
}
