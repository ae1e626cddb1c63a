public import Kernels
public import Scheduling

/// How an engine shares out its time and memory.
public struct EngineOptions: Sendable {
  /// Worker threads; 0 for as many as this process may use.
  public var threads = 0
  /// Whose threads compute, shared with others; nil for threads of its own.
  public var pool: WorkerPool?
  /// What the engine may take besides the model, and within what the model may take; 0 for no limit of its own. Where
  /// `cacheByteCount` is 0, the cache takes no more than is left of it.
  public var memoryByteLimit = 0
  /// Tokens on their way through the model together, prompts and generated ones; at least 1.
  ///
  /// 512 rows keep every product at the arithmetic's ceiling; more make a long prompt delay the others for longer.
  public var stepTokenCount = 512
  /// Sequences that are continued at the same time, at least 1; others queue.
  public var sequenceLimit = 64
  /// Requests that may wait besides; 0 for any number.
  public var queueLimit = 0
  /// Memory for keys and values in bytes; 0 for the smallest of 1 GiB, four times the model's weights (or 16 MiB) and what all sequences can
  /// fill, at least one of full length.
  public var cacheByteCount = 0
  /// What keys and values are kept as. Attention computes from the rounded ones, whoever reads them.
  public var cacheType = CacheType.f32
  /// Sequence-wise batching is for comparison.
  public var batching = Scheduler.Batching.depthWise
  /// Sequences with the same beginning share its keys and values, also with the last that finished.
  public var sharesPrefixes = true

  public init() {}
}
