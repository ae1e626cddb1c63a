public import Engine
import Execution
public import Files
import Kernels
import Tensors

extension Runner {
  /// Continues a batch of prompts together until each has finished: an `Engine` for one call. Selection is by threshold.
  ///
  /// - Parameters:
  ///   - requests: one or more; their events have their places as numbers.
  ///   - timeout: seconds after which what is unfinished counts as cancelled; 0 for never.
  ///   - onPromptToken: called with each prompt token's request, index and depth.
  ///   - onToken: called with each generated token, and the end of each request.
  /// - Throws: `wrongKind`; `unsupported` for a hybrid cache; `emptyInput`, `contextExceeded`, `invalidToken`, `invalidArgument`;
  ///   `outOfMemory`. Cancelling is not an error: it is the finish reason of what was unfinished.
  /// - Complexity: allocates nothing per token once the prompts have run.
  public func generate(
    _ requests: [GenerationRequest], timeout: Double = 0,
    onPromptToken: ((_ request: Int, _ index: Int, _ depth: Int32) -> Void)? = nil,
    onToken: (TokenEvent) -> EventReply
  ) throws(RallyError) {
    try Engine.check(model)
    guard !requests.isEmpty else { throw .noRows }
    for (index, request) in requests.enumerated() { try request.check("request \(index)", model.info) }
    let engine = try makeEngine(requests)
    for request in requests { try engine.submit(request) }
    interruption.begin(timeout: timeout)
    while engine.isBusy {
      if isInterrupted { engine.cancelAll() }
      try engine.step(onPromptToken: onPromptToken, onToken)
    }
  }

  /// An engine with room for all of the requests at once.
  private func makeEngine(_ requests: [GenerationRequest]) throws(RallyError) -> Engine {
    guard let head else { preconditionFailure("a language model has a head") }
    var blockCount = 0
    var longest = 0
    var promptCount = 0
    for request in requests {
      let room = model.info.contextLength - request.tokens.count + 1
      // The last generated token is reported and never computed.
      let length = request.tokens.count + min(request.maximumTokenCount ?? room, room) - 1
      blockCount += forward.layout.blockCount(tokenCount: length)
      promptCount += request.tokens.count
      longest = max(longest, length)
    }
    var options = EngineOptions()
    options.sequenceLimit = requests.count
    options.stepTokenCount = min(stepTokenCount, promptCount)
    options.sharesPrefixes = false
    try MemoryBudget.during(budget) { () throws(RallyError) in
      try reserve(
        rowCount: options.stepTokenCount, positionCount: longest, headRowCount: requests.count, blockCount: blockCount)
    }
    return try Engine(model: model, forward: forward, head: head, pages: pages, options: options, budget: budget)
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
