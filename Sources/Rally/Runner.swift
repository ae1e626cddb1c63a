public import Engine
import Execution
public import Files
public import Kernels
public import Models
import Tensors

/// Computes with a model: worker threads, workspaces and caches.
///
/// Not for several threads at once, `interruption` excepted. Open one per thread that needs one;
/// they share the model.
public final class Runner {
  public let model: Model
  /// Stops the call in progress, from any thread.
  public let interruption = Interruption()
  /// Called between the steps of `run` and `rate` with the tokens done and the tokens in all; false
  /// cancels the call.
  public var progress: ((_ done: Int, _ total: Int) -> Bool)?

  let forward: ForwardPass
  /// Of a language model.
  let head: LanguageHead?
  /// Of a rater.
  let raterHead: RaterHead?
  let pages: PagePool
  /// What it may take; nil for no limit.
  let budget: MemoryBudget?
  /// Tokens of one step.
  let stepTokenCount: Int

  /// Where the time of its calls went.
  package var profile: Profile { forward.profile }

  /// What calls of given sizes will take.
  public var memory: RunnerMemory {
    RunnerMemory(
      description: model.description, layout: forward.layout, pageByteCount: forward.attentionShape.pageByteCount,
      batchTokenCount: stepTokenCount, threadCount: forward.workers.threadCount, rowMethod: forward.rowMethod,
      rowRoom: forward.rowRoom,
      openedFloatCount: forward.attentionScratchCount + (head?.hiddenFloatCount ?? 0) + (raterHead?.floatCount ?? 0))
  }

  /// 2048 rows keep every product at the arithmetic's ceiling and a 360M model's workspace at 100 MB.
  public static let defaultBatchTokenCount = 2048

  /// - Parameters:
  ///   - model: which any number of runners share.
  ///   - threads: worker threads; 0 for as many as this process may use.
  ///   - batchTokens: tokens that are computed together, at least 1.
  ///   - cacheType: what keys and values are kept as.
  ///   - pool: whose threads compute, shared with others; nil for threads of its own.
  ///   - memoryByteLimit: what it may take besides the model, and within what the model may take; 0 for no limit of its own.
  /// - Throws: `outOfMemory`; `invalidArgument` for more threads than `WorkerPool.threadLimit`; `unsupported` for a rater with
  ///   another cache than f32.
  public init(
    model: Model, threads: Int = 0, batchTokens: Int = defaultBatchTokenCount, cacheType: CacheType = .f32,
    pool: WorkerPool? = nil, memoryByteLimit: Int = 0
  ) throws(RallyError) {
    guard cacheType == .f32 || model.info.kind == .languageModel else {
      throw RallyError(
        .unsupported, "cache_dtype", expected: "f32 for a rater, which keeps no keys and values", found: cacheType.rawValue)
    }
    self.model = model
    // Rows of a step are numbered by 32 bits.
    stepTokenCount = min(max(1, batchTokens), 1 << 24)
    let budget = MemoryBudget.limited(to: memoryByteLimit, within: model.budget)
    let workers = try WorkerPool.shared(pool, threads: threads)
    (forward, head, raterHead) = try MemoryBudget.during(budget) { () throws(RallyError) in
      let forward = try ForwardPass(weights: model.weights, workers: workers, cacheType: cacheType)
      return (forward, try LanguageHead(forward), try RaterHead(forward))
    }
    pages = PagePool(shape: forward.attentionShape)
    self.budget = budget
  }

  /// A cache for one sequence of at most `tokenCount` tokens and `depth` recursions.
  func makeCache(tokenCount: Int, depth: Int) throws(RallyError) -> SequenceCache {
    try SequenceCache(layout: forward.layout.limited(to: depth), pool: pages, maximumTokenCount: tokenCount)
  }

}
