public import Execution
import Scheduling
public import Tensors

/// What `Runner.run` does beside the rows themselves.
public struct RunOptions: Sendable {
  /// How an expert-choice model selects the tokens that go on.
  public var selection = Selection.threshold
  /// Recursions that a token may run; nil for the model's own number.
  public var maximumDepth: Int?
  /// Seconds after which the call gives up; 0 for never.
  public var timeout = 0.0

  public init() {}
}

/// Where `Runner.run` writes what it computes. N is the number of tokens of all rows.
///
/// The memory belongs to the caller and must hold as many values as stated.
@safe
public struct RunOutputs {
  /// Tokens whose logits and hidden states are wanted; nil for all.
  public var positions: [Int]?
  /// [positions or N, V].
  @unsafe public var logits: UnsafeMutablePointer<Float>?
  /// [positions or N, D], after the final norm.
  @unsafe public var hidden: UnsafeMutablePointer<Float>?
  /// Ids whose log-probability after each token is wanted, −1 for none, [N]; nil for the next token
  /// of the row.
  public var targets: [Int32]?
  /// With targets [N]; without [N − rowCount], T − 1 of each row.
  @unsafe public var logProbabilities: UnsafeMutablePointer<Float>?
  /// Recursions that each token ran, [N].
  @unsafe public var depths: UnsafeMutablePointer<Int32>?

  public init() {}
}

extension Runner {
  /// Runs a language model over rows.
  ///
  /// - Throws: `wrongKind`; `emptyInput`, `contextExceeded`, `invalidToken`, `invalidArgument`;
  ///   `outOfMemory`; `cancelled` and `deadlineExceeded`, after which the outputs hold a part.
  public func run(
    _ batch: RowBatch, options: RunOptions = RunOptions(), outputs: RunOutputs
  ) throws(RallyError) {
    try require(.languageModel, for: "run")
    try check(batch)
    try check(outputs, batch)
    let depth = try depthLimit(options.maximumDepth)
    let wholeRows = forward.needsWholeRows(under: options.selection)
    guard let head else { return }
    var writer = OutputWriter(batch, outputs, head: head)
    try runSteps(batch, wholeRows: wholeRows, depth: depth, options.selection, timeout: options.timeout) {
      (pieces) throws(RallyError) in
      try writer.write(pieces, forward)
    }
  }

  /// Cuts the rows into steps, runs one after the other and calls `body` behind each.
  func runSteps(
    _ batch: RowBatch, wholeRows: Bool, depth: Int32, _ selection: Selection = .threshold,
    timeout: Double, body: ([StepPlan.Piece]) throws(RallyError) -> Void
  ) throws(RallyError) {
    let plan = StepPlan(
      offsets: batch.offsets, stepTokenCount: stepTokenCount, wholeRows: wholeRows)
    try reserve(plan, batch)
    interruption.begin(timeout: timeout)
    var step = Step(capacity: plan.largestStep)
    step.selection = selection
    var cache: (row: Int, cache: SequenceCache)?
    for pieces in plan.steps {
      try interruption.check()
      step.removeAll()
      for piece in pieces {
        if cache?.row != piece.row {
          cache = (piece.row, try makeCache(tokenCount: batch.length(of: piece.row)))
        }
        guard let current = cache?.cache else { continue }
        step.append(batch.tokens[piece.tokens], of: current, maximumDepth: depth)
      }
      try forward.run(&step)
      try body(pieces)
      try report(done: pieces.last?.tokens.upperBound ?? 0, of: batch.tokenCount)
    }
  }

  /// Takes all the memory that the plan needs, so that it cannot run out half-way.
  private func reserve(_ plan: StepPlan, _ batch: RowBatch) throws(RallyError) {
    try forward.reserve(rowCount: plan.largestStep, positionCount: batch.longestRow)
    try head?.reserve(rowCount: plan.largestStep)
    try pages.reserve(memory.pageCount(plan, offsets: batch.offsets))
  }

  private func report(done: Int, of total: Int) throws(RallyError) {
    guard let progress, !progress(done, total) else { return }
    throw RallyError(.cancelled, "call", found: "the progress callback ended it")
  }
}

// MARK: Checks

extension Runner {
  func check(_ batch: RowBatch) throws(RallyError) {
    try batch.check(
      vocabularySize: model.info.vocabularySize, contextLength: model.info.contextLength)
  }

  /// The number of recursions a token may run.
  func depthLimit(_ wanted: Int?) throws(RallyError) -> Int32 {
    let own = model.info.recursionCount
    guard let wanted else { return Int32(own) }
    guard wanted >= 1 else {
      throw RallyError(
        .invalidArgument, "max_depth", expected: "at least 1, or 0 for the model's own number",
        found: "\(wanted)")
    }
    return Int32(min(wanted, own))
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
