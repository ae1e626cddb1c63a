import Engine
import Execution
public import Files
import Kernels
import Models
import Tensors

/// Compares what a teacher and a student's base predict along the same rows.
///
/// Sources: Cloud, Le et al. 2025, arXiv 2507.14805, theorem 1; the likelihood ratio of Neyman and Pearson.
public enum Exposure {
  /// Tokens whose hidden states are held at a time, of whole rows.
  private static let batchTokenCount = 8192

  /// - Parameters:
  ///   - teacher: of a language model. Its progress callback hears of the tokens of all rows, and cancelling its call
  ///     cancels this one.
  ///   - base: another runner, of a language model with the same tokenizer.
  ///   - rows: token ids of both models' tokenizer.
  ///   - givenCounts: tokens at the beginning of each row that were not sampled, such as a prompt: at least 1, for no
  ///     model predicts a first token. nil: 1 each. A row that has no more tokens counts none.
  /// - Throws: `mismatch` for another tokenizer; `invalidArgument` for the counts; what `Runner.run` throws.
  /// - Complexity: one run of each model; memory for the hidden states of 8192 tokens or the longest row, and for the
  ///   logits of 64.
  public static func measure(
    teacher: Runner, base: Runner, rows: RowBatch, givenCounts: [Int]? = nil
  ) throws(RallyError) -> ExposureScores {
    try check(teacher, base, rows, givenCounts)
    let (report, baseReport) = (teacher.progress, base.progress)
    defer { (teacher.progress, base.progress) = (report, baseReport) }
    let interruption = teacher.interruption
    teacher.progress = nil
    base.progress = { _, _ in !interruption.isCancelled }
    var scores = ExposureScores()
    var first = 0
    while first < rows.rowCount {
      var end = first + 1
      while end < rows.rowCount, rows.offsets[end + 1] - rows.offsets[first] <= batchTokenCount { end += 1 }
      let given = (first..<end).map { givenCounts?[$0] ?? 1 }
      try score(RowBatch((first..<end).map { Array(rows.tokens[rows.range(of: $0)]) }), given, teacher, base, &scores)
      first = end
      if let report, !report(rows.offsets[first], rows.tokenCount) {
        throw RallyError(.cancelled, "call", found: "the progress callback ended it")
      }
    }
    return scores
  }

  private static func score(
    _ batch: RowBatch, _ given: [Int], _ teacher: Runner, _ base: Runner, _ scores: inout ExposureScores
  ) throws(RallyError) {
    let places = (0..<batch.rowCount).map { row in
      let range = batch.range(of: row)
      return range.lowerBound + given[row] - 1..<max(range.lowerBound + given[row] - 1, range.upperBound - 1)
    }
    let positions = places.flatMap { Array($0) }
    let states = try (hidden(teacher, batch, positions), hidden(base, batch, positions))
    let comparisons = try compare(states, targets: positions.map { Int(batch.tokens[$0 + 1]) }, teacher, base)
    var next = 0
    for range in places {
      let part = comparisons[next..<next + range.count]
      next += range.count
      scores.divergence.append(part.reduce(0) { $0 + Double($1.divergence) })
      scores.logRatio.append(part.reduce(0) { $0 + Double($1.logRatio) })
      scores.tokenCounts.append(range.count)
    }
  }

  /// What the head of a model sees at some tokens, [positions, D].
  private static func hidden(
    _ runner: Runner, _ batch: RowBatch, _ positions: [Int]
  ) throws(RallyError) -> FloatStorage {
    let storage = try MemoryBudget.during(runner.budget) { () throws(RallyError) in
      try FloatStorage(count: positions.count * runner.model.info.hiddenSize)
    }
    var outputs = RunOutputs()
    outputs.positions = positions
    unsafe outputs.hidden = storage.base
    try runner.run(batch, outputs: outputs)
    return storage
  }

  /// Logits exist for one tile of positions at a time.
  private static func compare(
    _ states: (teacher: FloatStorage, base: FloatStorage), targets: [Int], _ teacher: Runner, _ base: Runner
  ) throws(RallyError) -> [(divergence: Float, logRatio: Float)] {
    guard let heads = teacher.head.flatMap({ left in base.head.map { (left, $0) } }) else { return [] }
    let left = states.teacher.rows(targets.count, width: teacher.model.info.hiddenSize)
    let right = states.base.rows(targets.count, width: base.model.info.hiddenSize)
    let results = try FloatStorage(count: 2 * targets.count)
    for start in stride(from: 0, to: targets.count, by: LanguageHead.tileRowCount) {
      let tile = start..<min(start + LanguageHead.tileRowCount, targets.count)
      let x = try MemoryBudget.during(teacher.budget) { () throws(RallyError) in try heads.0.logits(left.rows(tile)) }
      let y = try MemoryBudget.during(base.budget) { () throws(RallyError) in try heads.1.logits(right.rows(tile)) }
      teacher.forward.workers.parallelFor(tile.count) { row, _ in
        let found = unsafe LogProbability.compare(
          x.pointer(row: row), y.pointer(row: row), count: x.width, target: targets[start + row])
        unsafe results.base[2 * (start + row)] = found.divergence
        unsafe results.base[2 * (start + row) + 1] = found.logRatio
      }
    }
    return targets.indices.map { (results[2 * $0], results[2 * $0 + 1]) }
  }

  private static func check(
    _ teacher: Runner, _ base: Runner, _ rows: RowBatch, _ givenCounts: [Int]?
  ) throws(RallyError) {
    try teacher.model.require(.languageModel, for: "exposure")
    try base.model.require(.languageModel, for: "exposure")
    guard teacher.model.readsTokens(of: base.model),
      teacher.model.info.vocabularySize == base.model.info.vocabularySize
    else {
      throw RallyError(
        .mismatch, "exposure", expected: "a teacher and a base with one tokenizer",
        found: "'\(teacher.model.info.name)' and '\(base.model.info.name)' with two",
        remedy: "probabilities are compared token by token")
    }
    try teacher.check(rows)
    try base.check(rows)
    guard let givenCounts else { return }
    guard givenCounts.count == rows.rowCount else {
      throw RallyError(
        .invalidArgument, "given", expected: "one count per row, \(rows.rowCount)", found: "\(givenCounts.count)")
    }
    for (row, count) in givenCounts.enumerated() where count < 1 || count > rows.length(of: row) {
      throw RallyError(
        .invalidArgument, "given[\(row)]", expected: "1…\(rows.length(of: row))", found: "\(count)",
        remedy: "no model predicts a first token")
    }
  }
}
