import Rally

/// Measures a rater.
final class RaterBench: BenchSubject {
  /// Of each row; empty where they are all of one length.
  let lengths: [Int]
  private let rowLengths: [Int]
  private let runner: Runner
  private let seed: UInt64

  init(_ test: BenchTest, model: Model, seed: UInt64) throws(RallyError) {
    self.seed = seed
    switch test.work {
    case .raggedRating(let range):
      var source = TokenSource(seed: seed, stream: 0, model.info)
      lengths = source.lengths(test.sequenceCount, in: range)
      rowLengths = lengths
    default:
      lengths = []
      rowLengths = Array(repeating: test.promptCount, count: test.sequenceCount)
    }
    runner = try Runner(
      model: model, threads: test.threadCount, batchTokens: test.batchTokenCount, cacheType: test.cacheType)
    runner.progress = { _, _ in !Interrupt.isRequested }
  }

  func warmUp() throws { _ = try run(repetition: -1) }

  func run(repetition: Int) throws -> BenchSample {
    var source = TokenSource(seed: seed, stream: repetition, runner.model.info)
    let rows = RowBatch(rowLengths.map { source.tokens($0) })
    let before = EngineWork(runner)
    let start = now()
    _ = try runner.rate(rows)
    let seconds = now() - start
    return BenchSample(seconds: seconds, tokenCount: rows.tokenCount, work: EngineWork(runner) - before)
  }
}
