import Engine
import Execution
public import Files
import Models
import Scheduling
import Tensors

extension Runner {
  /// Runs a language model over rows.
  ///
  /// - Throws: `wrongKind`; `emptyInput`, `contextExceeded`, `invalidToken`, `invalidArgument`;
  ///   `outOfMemory`; `cancelled` and `deadlineExceeded`, after which the outputs hold a part.
  public func run(
    _ batch: RowBatch, options: RunOptions = RunOptions(), outputs: RunOutputs
  ) throws(RallyError) {
    try model.require(.languageModel, for: "run")
    try check(batch)
    try check(outputs, batch)
    let depth = try model.info.depthLimit(options.maximumDepth)
    let steering = try model.info.depthSteering(options.targetDepth, options.exit)
    let exit = try model.info.exitPolicy(options.exit, limit: depth)
    let starts = try exitStarts(options.exitFrom, rowCount: batch.rowCount)
    if steering != nil, options.selection == .topK { throw .steeredTopK }
    let wholeRows = forward.needsWholeRows(under: options.selection)
    guard let head else { return }
    var writer = OutputWriter(batch, outputs, head: head)
    let policy = RowPolicy(options.selection, limit: depth, exit, from: starts, steering)
    let plan = StepPlan(
      offsets: batch.offsets, stepTokenCount: stepTokenCount, wholeRows: wholeRows,
      window: steering == nil ? nil : DepthSteering.window)
    try runSteps(plan, of: batch, policy, timeout: options.timeout) {
      (pieces) throws(RallyError) in
      try writer.write(pieces, forward)
    }
  }

  /// Runs the steps one after the other and calls `body` after each.
  func runSteps(
    _ plan: StepPlan, of batch: RowBatch, _ rowPolicy: RowPolicy, timeout: Double,
    body: ([StepPlan.Piece]) throws(RallyError) -> Void
  ) throws(RallyError) {
    try MemoryBudget.during(budget) { () throws(RallyError) in
      try reserve(plan, batch)
      try runReserved(plan, of: batch, rowPolicy, timeout: timeout, body: body)
    }
  }

  private func runReserved(
    _ plan: StepPlan, of batch: RowBatch, _ rowPolicy: RowPolicy, timeout: Double,
    body: ([StepPlan.Piece]) throws(RallyError) -> Void
  ) throws(RallyError) {
    interruption.begin(timeout: timeout)
    var step = Step(capacity: plan.largestStep)
    var current: (row: Int, cache: SequenceCache, policy: RowPolicy)?
    var doneCount = 0
    for pieces in plan.steps {
      try interruption.check()
      step.removeAll()
      for piece in pieces {
        if current?.row != piece.row {
          let policy = rowPolicy.of(piece.row, model.info)
          let cache = try makeCache(tokenCount: batch.length(of: piece.row), depth: policy.limit)
          current = (piece.row, cache, policy)
        }
        guard let (_, cache, policy) = current else { continue }
        try cache.reserve(tokens: piece.tokens.count)
        step.append(batch.tokens[piece.tokens], of: cache, key: piece.row, policy: policy.next)
      }
      try forward.run(step)
      current?.policy.observe(forward.depths)
      try body(pieces)
      doneCount += pieces.reduce(0) { $0 + $1.tokens.count }
      try report(done: doneCount, of: batch.tokenCount)
    }
  }

  /// Takes all the memory that the plan needs, so that it cannot run out half-way.
  private func reserve(_ plan: StepPlan, _ batch: RowBatch) throws(RallyError) {
    try reserve(
      rowCount: plan.largestStep, positionCount: batch.longestRow, headRowCount: plan.largestStep,
      blockCount: memory.blockCount(plan, offsets: batch.offsets))
  }

  /// Where there is not enough memory, what earlier calls left is let go first.
  func reserve(rowCount: Int, positionCount: Int, headRowCount: Int, blockCount: Int) throws(RallyError) {
    func take() throws(RallyError) {
      try forward.reserve(rowCount: rowCount, positionCount: positionCount)
      try head?.reserve(rowCount: headRowCount)
      try pages.reserve(blockCount)
      // What finds the blocks is made row by row.
      _ = try MemoryShare(byteCount: blockCount * MemoryLayout<Int>.stride + rowCount * AlignedStorage<Float>.alignment)
    }
    do throws(RallyError) {
      try take()
    } catch  where error.code == .outOfMemory {
      release()
      do throws(RallyError) {
        try take()
      } catch {
        release()
        throw error
      }
    }
  }

  /// Lets go of what calls took.
  private func release() {
    forward.release()
    head?.release()
    pages.releaseUnused()
  }

  private func report(done: Int, of total: Int) throws(RallyError) {
    guard let progress, !progress(done, total) else { return }
    throw RallyError(.cancelled, "call", found: "the progress callback ended it")
  }
}

extension RallyError {
  fileprivate static var steeredTopK: RallyError {
    RallyError(
      .invalidArgument, "target_depth", expected: "selection by threshold", found: "selection topk",
      remedy: "topk runs as many tokens as the capacities say")
  }
}

// MARK: Checks

extension Runner {
  /// One start for all rows, or one for each.
  private func exitStarts(_ starts: [Int], rowCount: Int) throws(RallyError) -> [Int] {
    guard starts.count <= 1 || starts.count == rowCount else {
      throw RallyError(
        .invalidArgument, "exit_from", expected: "one number for all rows, or one for each of the \(rowCount)",
        found: "\(starts.count)")
    }
    if let start = starts.first(where: { $0 < 0 }) {
      throw RallyError(.invalidArgument, "exit_from", expected: "at least 0", found: "\(start)")
    }
    if starts.contains(where: { $0 > 0 }) { try model.info.requireExit("exit_from") }
    return starts
  }

  func check(_ batch: RowBatch) throws(RallyError) {
    try batch.check(
      vocabularySize: model.info.vocabularySize, contextLength: model.info.contextLength)
  }

  private func check(_ outputs: RunOutputs, _ batch: RowBatch) throws(RallyError) {
    if let positions = outputs.positions {
      for (index, position) in positions.enumerated()
      where position < 0 || position >= batch.tokenCount {
        throw RallyError(
          .invalidArgument, "positions[\(index)]",
          expected: "a token's index in [0, \(batch.tokenCount))", found: "\(position)")
      }
    }
    guard let targets = outputs.targets else { return }
    guard targets.count == batch.tokenCount else {
      throw RallyError(
        .invalidArgument, "targets", expected: "one per token, \(batch.tokenCount)",
        found: "\(targets.count)")
    }
    for (index, target) in targets.enumerated()
    where target < -1 || Int(target) >= model.info.vocabularySize {
      throw RallyError(
        .invalidToken, "targets[\(index)]",
        expected: "−1 or an id in [0, \(model.info.vocabularySize))", found: "\(target)")
    }
  }
}
