import Rally

/// Everything that shall be measured on each model.
struct BenchPlan {
  var promptCounts: [Int]
  /// Of raters.
  var rowLengths: [Int]
  var generatedCounts: [Int]
  var pairs: [NumberPair]
  var raggedRows: [LengthRange]
  var jobs: BenchJobs?
  var depths: [Int]
  var sequenceCounts: [Int]
  /// Whether as many prompts run together; else each runs alone.
  var computesPromptsTogether: Bool
  var threadCounts: [Int]
  /// Empty: what the engine takes by itself.
  var batchTokenCounts: [Int]
  var batchings: [BatchingName]
  var cacheTypes: [CacheType]
  /// Of language models.
  var exits: DepthArguments

  /// The tests of a model, in every combination.
  /// - Throws: when there is none, or one is beyond the model.
  func tests(for info: ModelInfo) throws(CommandFailure) -> [BenchTest] {
    let isRater = info.kind == .rater
    if isRater, !exits.isEmpty {
      throw CommandFailure(.arguments, "'\(info.name)' is a rater, whose tokens have no depth; leave options of depth away")
    }
    let ownBatch = isRater ? Runner.defaultBatchTokenCount : EngineOptions().stepTokenCount
    var tests: [BenchTest] = []
    for threads in threadCounts {
      for batch in batchTokenCounts.isEmpty ? [ownBatch] : batchTokenCounts {
        for batching in isRater ? [.depth] : batchings {
          for cacheType in cacheTypes {
            for depth in isRater ? [0] : depths {
              tests += (isRater ? ratings : continuations(depth: depth)).map { work, sequences in
                BenchTest(
                  work: work, depth: depth, sequenceCount: sequences, threadCount: threads, batchTokenCount: batch,
                  batching: batching, cacheType: cacheType, exits: exits)
              }
            }
          }
        }
      }
    }
    guard !tests.isEmpty else {
      let options = isRater ? "a rater; give -p or --ragged" : "a language model; give -p, -n, -pg or --jobs"
      throw CommandFailure(.arguments, "nothing to measure on '\(info.name)', \(options)")
    }
    for test in tests { try check(test, info) }
    return tests
  }

  private typealias Item = (work: BenchTest.Work, sequenceCount: Int)

  private var ratings: [Item] {
    let works = rowLengths.filter { $0 > 0 }.map { BenchTest.Work.rating($0) } + raggedRows.map { .raggedRating($0.bounds) }
    return works.flatMap { work in sequenceCounts.map { (work, $0) } }
  }

  private func continuations(depth: Int) -> [Item] {
    let prompts = promptCounts.filter { $0 > 0 }.map { BenchTest.Work.prompt($0) }
    var works = generatedCounts.filter { $0 > 0 }.map { BenchTest.Work.generation($0) }
    works += pairs.map { .promptAndGeneration($0.first, $0.second) }
    // Jobs begin with nothing.
    if let jobs, depth == 0 { works.append(.jobs(jobs)) }
    return prompts.flatMap { work in (computesPromptsTogether ? sequenceCounts : [1]).map { (work, $0) } }
      + works.flatMap { work in sequenceCounts.map { (work, $0) } }
  }

  private func check(_ test: BenchTest, _ info: ModelInfo) throws(CommandFailure) {
    guard test.contextCount <= info.contextLength else {
      throw CommandFailure(
        .arguments,
        "\(test.name): expected at most \(info.contextLength) tokens, the model's context, found \(test.contextCount)")
    }
    guard info.kind == .rater || test.sequenceCount <= test.batchTokenCount else {
      throw CommandFailure(
        .arguments,
        "-b: expected at least -npl, \(test.sequenceCount), found \(test.batchTokenCount); a step holds a token of each")
    }
  }
}
