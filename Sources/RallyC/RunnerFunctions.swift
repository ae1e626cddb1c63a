public import CRally
import Rally

@c @implementation
public func rally_runner_open(
  _ model: OpaquePointer?, _ options: UnsafePointer<rally_runner_options>?,
  _ runner: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let model = try unsafe ModelHandle.table.object(model)
    let read = try unsafe rally_runner_options.read(options, "options")
    let result = try unsafe required(runner, "runner")
    let batchTokens = unsafe Int(read.max_batch_tokens)
    let opened = try unsafe Runner(
      model: model.model, threads: Int(read.threads),
      batchTokens: batchTokens == 0 ? Runner.defaultBatchTokenCount : batchTokens,
      cacheType: CacheType(read.cache_dtype), pool: sharedPool(read.pool, threads: read.threads),
      memoryByteLimit: Int(clamping: read.max_memory_bytes))
    if let report = unsafe progress(read.progress, read.progress_user) {
      opened.progress = { done, total in report(UInt64(done), UInt64(total)) }
    }
    unsafe result.pointee = try RunnerHandle.table.insert(RunnerHandle(opened))
  }
}

@c @implementation
public func rally_runner_close(_ runner: OpaquePointer?) {
  closing { unsafe RunnerHandle.table.remove(runner)?.stop() }
}

@c @implementation
public func rally_runner_cancel(_ runner: OpaquePointer?) {
  do throws(RallyError) {
    try unsafe RunnerHandle.table.object(runner).interruption.cancel()
  } catch {
    // A closed handle has nothing to cancel.
  }
}

@c @implementation
public func rally_runner_memory(
  _ runner: OpaquePointer?, _ rowOffsets: UnsafePointer<Int>?, _ rowCount: Int, _ newTokens: Int,
  _ bytes: UnsafeMutablePointer<UInt64>?, _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    let handle = try unsafe RunnerHandle.table.object(runner)
    let result = try unsafe required(bytes, "bytes")
    let offsets = try unsafe offsets(rowOffsets, rowCount)
    let newTokens = try natural(newTokens, "new_tokens")
    unsafe result.pointee = UInt64(try handle.memory.byteCount(offsets: offsets, newTokens: newTokens))
  }
}

@c @implementation
public func rally_run(
  _ runner: OpaquePointer?, _ tokens: UnsafePointer<Int32>?, _ rowOffsets: UnsafePointer<Int>?,
  _ rowCount: Int, _ options: UnsafePointer<rally_run_options>?, _ outputs: UnsafePointer<rally_outputs>?,
  _ error: UnsafeMutablePointer<rally_error>?
) -> rally_status {
  unsafe status(error) { () throws(RallyError) in
    try unsafe RunnerHandle.table.object(runner).use { (runner) throws(RallyError) in
      let batch = try unsafe rows(tokens, rowOffsets, rowCount)
      let options = try unsafe RunOptions(options, rowCount: batch.rowCount)
      let outputs = try unsafe RunOutputs(outputs, tokenCount: batch.tokenCount)
      try runner.run(batch, options: options, outputs: outputs)
    }
  }
}

// MARK: Conversions

/// The caller's rows, checked as far as memory goes; the engine checks ids and lengths.
func rows(
  _ tokens: UnsafePointer<Int32>?, _ rowOffsets: UnsafePointer<Int>?, _ rowCount: Int
) throws(RallyError) -> RowBatch {
  let offsets = try unsafe offsets(rowOffsets, rowCount)
  let tokens = try unsafe copied(tokens, offsets[rowCount], "tokens")
  return try RowBatch(tokens: tokens, offsets: offsets)
}

func offsets(_ rowOffsets: UnsafePointer<Int>?, _ rowCount: Int) throws(RallyError) -> [Int] {
  guard rowCount > 0 else { throw .noRows }
  guard rowCount < Int.max else {
    throw RallyError(.invalidArgument, "row_count", expected: "a number of rows", found: "\(rowCount)")
  }
  let offsets = try unsafe copied(rowOffsets, rowCount + 1, "row_offsets")
  guard offsets[0] == 0 else {
    throw RallyError(.invalidArgument, "row_offsets[0]", expected: "0", found: "\(UInt(bitPattern: offsets[0]))")
  }
  try RowBatch.checkAscending(offsets)
  return offsets
}

func seconds(_ value: Double) throws(RallyError) -> Double {
  guard try finite(value, "timeout_seconds") >= 0 else {
    throw RallyError(.invalidArgument, "timeout_seconds", expected: "0 or more", found: "\(value)")
  }
  return value
}

extension RunOptions {
  fileprivate init(_ options: UnsafePointer<rally_run_options>?, rowCount: Int) throws(RallyError) {
    let read = try unsafe rally_run_options.read(options, "options")
    self.init()
    switch unsafe read.selection {
    case RALLY_SELECT_THRESHOLD: selection = .threshold
    case RALLY_SELECT_TOPK: selection = .topK
    default:
      throw RallyError(
        .invalidArgument, "selection", expected: "a rally_selection", found: "\(unsafe read.selection.rawValue)")
    }
    maximumDepth = unsafe read.max_depth == 0 ? nil : Int(read.max_depth)
    timeout = try unsafe seconds(read.timeout_seconds)
    targetDepth = unsafe read.target_depth == 0 ? nil : read.target_depth
    exit = try unsafe ExitOptions(
      threshold: read.exit_threshold, minimumDepth: read.min_depth, read.kv_policy, "kv_policy")
    if let starts = unsafe read.exit_from {
      // Beyond any row is as good as at its end.
      exitFrom = try unsafe copied(starts, rowCount, "exit_from").map { $0 < 0 ? .max : $0 }
    }
  }
}

extension RunOutputs {
  fileprivate init(_ outputs: UnsafePointer<rally_outputs>?, tokenCount: Int) throws(RallyError) {
    let read = try unsafe rally_outputs.read(required(outputs, "outputs"), "outputs")
    self.init()
    if let positions = unsafe read.positions {
      self.positions = try unsafe copied(positions, read.position_count, "positions")
    } else if unsafe read.position_count != 0 {
      throw RallyError(
        .invalidArgument, "positions", expected: "a pointer, or a position_count of 0",
        found: "NULL and \(unsafe UInt(bitPattern: read.position_count))")
    }
    if let targets = unsafe read.targets {
      self.targets = try unsafe copied(targets, tokenCount, "targets")
    }
    unsafe logits = try optional(read.logits, "logits")
    unsafe hidden = try optional(read.hidden, "hidden")
    unsafe logProbabilities = try optional(read.logprobs, "logprobs")
    unsafe depths = try optional(read.depths, "depths")
  }
}
