package import Execution
public import Files
import Kernels
public import Models
import Scheduling
import Synchronization
package import Tensors

/// Continues any number of sequences, together: submit requests, then step until nothing is left.
///
/// Sequences come and go at every step. A pass of the model's block runs the tokens of all of them, prompts and generated ones,
/// each at its own recursion; whoever has run its last one leaves, and its place is taken at once. A sequence's tokens, depths
/// and log-probabilities are the same bits whatever runs alongside it.
///
/// One thread at a time drives an engine; `submit`, `cancel` and `counters` may be called from any.
public final class Engine {
  public let model: Model
  let forward: ForwardPass
  let head: LanguageHead
  let pages: PagePool
  let scheduler: Scheduler
  let inbox: Inbox
  let samplers: [TokenSampler]
  let board: CounterBoard
  /// What it may take; nil for no limit.
  let budget: MemoryBudget?
  /// What its lists take of that.
  private let lists: MemoryShare?

  /// Requests that have not finished, by number.
  var sequences: [Int: EngineSequence] = [:]
  var admission = Admission()
  var step: Step
  var tally = EngineTally()
  // Scratch of a step.
  var leavers: [ScheduledRequest] = []
  var predicting: [EngineSequence] = []
  var predictingRows: [Int32] = []

  /// Starts the worker threads and takes all memory that the engine will use, `EngineMemory` says how much.
  /// - Throws: `wrongKind` for a rater; `unsupported` for a hybrid cache; `invalidArgument`; `limitExceeded` when the cache
  ///   does not hold a single token; `outOfMemory`.
  public convenience init(model: Model, options: EngineOptions = EngineOptions()) throws(RallyError) {
    try Self.check(model)
    let memory = try EngineMemory(model: model, options: options)
    let budget = MemoryBudget.limited(to: options.memoryByteLimit, within: model.budget)
    let workers = try WorkerPool.shared(options.pool, threads: options.threads)
    let (forward, head, pages, lists) = try MemoryBudget.during(budget) { () throws(RallyError) in
      let lists = try MemoryShare(byteCount: memory.listByteCount)
      let forward = try ForwardPass(weights: model.weights, workers: workers, cacheType: options.cacheType)
      guard let head = try LanguageHead(forward) else { preconditionFailure("a language model has a head") }
      try forward.reserve(rowCount: options.stepTokenCount, positionCount: model.info.contextLength)
      let pages = PagePool(shape: forward.attentionShape)
      try pages.reserve(memory.blockCount(within: budget, options))
      return (forward, head, pages, lists)
    }
    try self.init(
      model: model, forward: forward, head: head, pages: pages, options: options, budget: budget, lists: lists)
  }

  /// An engine that computes with the parts of a runner, for one call.
  package init(
    model: Model, forward: ForwardPass, head: LanguageHead, pages: PagePool, options: EngineOptions, budget: MemoryBudget?,
    lists: MemoryShare? = nil
  ) throws(RallyError) {
    self.budget = budget
    self.lists = lists
    self.model = model
    self.forward = forward
    self.head = head
    self.pages = pages
    var scheduling = Scheduler.Options()
    scheduling.stepTokenCount = options.stepTokenCount
    scheduling.sequenceLimit = options.sequenceLimit
    scheduling.batching = options.batching
    scheduling.sharesPrefixes = options.sharesPrefixes
    scheduling.edgeCost =
      Double(forward.edgeByteCount + head.weightByteCount) / Double(max(1, forward.blockByteCount))
    scheduler = Scheduler(options: scheduling, pool: pages.blocks)
    inbox = Inbox(
      model: model, blockCapacity: pages.blocks.capacity,
      capacity: options.queueLimit > 0 ? options.sequenceLimit + options.queueLimit : nil)
    samplers = try MemoryBudget.during(budget) { () throws(RallyError) in
      try head.reserve(rowCount: options.sequenceLimit)
      var samplers: [TokenSampler] = []
      for _ in 0..<forward.workers.threadCount {
        samplers.append(try TokenSampler(vocabularySize: model.info.vocabularySize))
      }
      return samplers
    }
    board = CounterBoard(names: Self.counterNames(recursionCount: model.info.recursionCount))
    step = Step(capacity: options.stepTokenCount)
    tally.reserve(recursionCount: model.info.recursionCount)
    leavers.reserveCapacity(options.sequenceLimit)
    predicting.reserveCapacity(options.sequenceLimit)
    predictingRows.reserveCapacity(LanguageHead.tileRowCount)
    publishCounters()
  }

  package static func check(_ model: Model) throws(RallyError) {
    try model.require(.languageModel, for: "generate")
    guard CacheLayout(model.description).hasScratchSlot else { return }
    throw RallyError(
      .unsupported, "generate", expected: "a cache that can be kept, recursion or shared",
      found: "kv_cache hybrid, whose keys and values live for one pass over a whole row",
      remedy: "run whole rows")
  }

  /// Whether any request has not finished.
  public var isBusy: Bool { !sequences.isEmpty || !inbox.isEmpty }

  // MARK: Any thread

  /// Puts a request into the queue and returns its number: 0, 1, …
  /// - Throws: what is wrong with the request; `limitExceeded` when the cache could not hold it alone; `queueFull`.
  @discardableResult
  public func submit(_ request: GenerationRequest) throws(RallyError) -> Int { try inbox.submit(request) }

  /// Waits until a request is unfinished.
  /// - Throws: `deadlineExceeded` after `seconds` without one; `closed` after `stopWaiting`.
  public func wait(seconds: Double) throws(RallyError) { try inbox.wait(seconds: seconds) }

  /// Ends all waits, now and later.
  public func stopWaiting() { inbox.close() }

  /// Ends a request at the next step; a number that is unknown or finished does nothing.
  public func cancel(_ request: Int) { inbox.cancel(request) }

  /// Ends all requests at the next step.
  public func cancelAll() { inbox.cancelAll() }
}

// MARK: Shared prefixes

extension Engine {
  /// Sequences that have finished and whose beginnings others may share, at most.
  package static var retainedSequenceLimit: Int { Scheduler.retainedLimit }

  /// Frees what finished sequences hold; for whom drives the engine.
  package func forgetRetainedSequences() { scheduler.forgetRetained() }
}

extension LanguageHead {
  /// nil for a rater.
  package convenience init?(_ forward: ForwardPass) throws(RallyError) {
    guard let projection = forward.weights.languageHead else { return nil }
    let isNormalized = forward.weights.description.loop?.normalizes == true
    try self.init(forward: forward, norm: isNormalized ? nil : forward.weights.finalNorm, projection: projection)
  }
}
