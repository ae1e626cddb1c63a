import Execution
public import Files
import Kernels
public import Models
import Scheduling
import Tensors

/// What an engine takes besides the model's weights, before it takes it.
public struct EngineMemory: Sendable {
  /// Keys and values, in blocks.
  public let cacheByteCount: Int
  /// Workspaces of a step, tables of positions, logits and sampling, and lists.
  public let workspaceByteCount: Int
  /// Of those, what is no storage: lists of tokens, blocks, sequences and threads.
  let listByteCount: Int
  let blockCount: Int
  /// What an engine takes after its blocks: logits, sampling, and what finds the blocks of sequences.
  private let laterByteCount: Int
  private let blockByteCount: Int
  private let slotCount: Int

  public var byteCount: Int { cacheByteCount + workspaceByteCount }

  private static let defaultLimit = 1 << 30
  /// Sequences of the smallest models, too, have company.
  private static let smallestLimit = 16 << 20

  /// - Throws: `wrongKind`; `invalidArgument` for options out of range; `limitExceeded` when the cache is too small for one
  ///   token or a size does not fit 63 bits.
  public init(model: Model, options: EngineOptions) throws(RallyError) {
    try model.require(.languageModel, for: "engine")
    try options.check()
    let description = model.description
    let layout = CacheLayout(description)
    let blockBytes = AttentionShape(description, cacheType: options.cacheType).pageByteCount
    let wholeSequence = layout.blockCount(tokenCount: description.maximumTokenCount)
    if options.cacheByteCount > 0 {
      blockCount = options.cacheByteCount / blockBytes
    } else {
      let (all, overflow) = wholeSequence.multipliedReportingOverflow(by: options.sequenceLimit)
      let limit = min(Self.defaultLimit, max(Self.smallestLimit, 4 * model.info.weightByteCount))
      blockCount = max(wholeSequence, min(overflow ? .max : all, limit / blockBytes))
    }
    guard blockCount >= layout.slotCount else {
      throw RallyError(
        .limitExceeded, "cache_bytes", expected: "at least \(layout.slotCount * blockBytes), one block for each layer",
        found: "\(options.cacheByteCount)")
    }
    guard blockCount <= Int(Int32.max) else {
      throw RallyError(
        .limitExceeded, "cache_bytes", expected: "at most \(Int(Int32.max)) blocks of \(blockBytes) bytes",
        found: "\(blockCount)")
    }
    let threads = options.pool?.threadCount ?? (options.threads == 0 ? WorkerPool.availableProcessors : options.threads)
    let tileRows = min(options.sequenceLimit, LanguageHead.tileRowCount)
    let samplers = Int128(threads) * Int128(TokenSampler.byteCount(vocabularySize: description.vocabularySize))
    let logits = 4 * Int128(tileRows) * Int128(description.vocabularySize)
    let rows = 4 * Int128(options.stepTokenCount) * Int128(Workspace.floatCount(description))
    let tables = Int128(options.sequenceLimit) * Int128(wholeSequence + 16) * Int128(MemoryLayout<Int>.stride)
    let lists = Self.listByteCount(options, threads: threads, blocks: blockCount, recursions: model.info.recursionCount)
    let positions = RopeTable.byteCount(description, positionCount: description.maximumTokenCount)
    let workspaces = rows + Int128(positions) + logits + samplers + lists
    guard let workspace = Int(exactly: workspaces), let later = Int(exactly: logits + samplers + tables),
      let cache = Int(exactly: Int128(blockCount) * Int128(blockBytes)), let list = Int(exactly: lists)
    else {
      throw RallyError(.limitExceeded, "memory", expected: "a number of bytes below 2⁶³", found: "more")
    }
    workspaceByteCount = workspace
    cacheByteCount = cache
    laterByteCount = later
    listByteCount = list
    blockByteCount = blockBytes
    slotCount = layout.slotCount
  }

  /// What lists reserve, rounded up: 370 bytes for each token on its way, and a number for each recursion that a router tells
  /// of; 28 for each block, 24 for each sequence, 7 KB for each thread, and 200 KB whatever the options are. Tests/ABI/allocations.cpp
  /// compares it with what the allocator is asked for.
  private static func listByteCount(_ options: EngineOptions, threads: Int, blocks: Int, recursions: Int) -> Int128 {
    Int128(options.stepTokenCount) * Int128(384 + 4 * recursions) + 32 * Int128(blocks) + 32 * Int128(options.sequenceLimit)
      + Int128(threads) << 13 + 224 << 10
  }

  /// Blocks of an engine whose other memory has been taken: where no size was asked for, no more than there is room for.
  func blockCount(within budget: MemoryBudget?, _ options: EngineOptions) -> Int {
    guard let budget, options.cacheByteCount == 0 else { return blockCount }
    return min(blockCount, max(slotCount, (budget.remainingByteCount - laterByteCount) / blockByteCount))
  }
}

extension EngineOptions {
  fileprivate func check() throws(RallyError) {
    func require(_ value: Int, _ range: ClosedRange<Int>, _ name: String) throws(RallyError) {
      guard !range.contains(value) else { return }
      throw RallyError(
        .invalidArgument, name, expected: "\(range.lowerBound)…\(range.upperBound)", found: "\(value)")
    }
    // Rows of a step are numbered by 32 bits.
    try require(stepTokenCount, 1...1 << 24, "step_tokens")
    try require(sequenceLimit, 1...1 << 20, "max_sequences")
    try require(threads, 0...WorkerPool.threadLimit, "threads")
    try require(cacheByteCount, 0...Int.max, "cache_bytes")
    try require(memoryByteLimit, 0...Int.max, "max_memory_bytes")
    try require(queueLimit, 0...Int(Int32.max), "max_queue")
  }
}
