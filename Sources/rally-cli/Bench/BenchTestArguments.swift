import ArgumentParser
import Kernels
import Rally

/// What to measure.
struct BenchTestArguments: ParsableArguments {
  @Option(name: [.short, .customLong("n-prompt")], help: "Tokens of prompts, and of a rater's rows; 0 for none. (default: 512)")
  var promptCount: [NumberList] = []

  @Option(name: [.customShort("n"), .customLong("n-gen")], help: "Tokens to generate; 0 for none. (default: 128)")
  var generatedCount: [NumberList] = []

  @Option(name: .customLong("pg", withSingleDash: true), help: "A prompt and tokens after it in one test: 512,128.")
  var promptAndGenerated: [NumberPair] = []

  @Option(
    name: .customLong("npl", withSingleDash: true),
    help: "Sequences that generate, or rows that are rated, together. (default: 1)")
  var sequenceCount: [NumberList] = []

  @Flag(help: "-npl counts the prompts of pp tests too; without, each prompt runs alone.")
  var promptsTogether = false

  @Option(name: [.short, .customLong("n-depth")], help: "Tokens that are in the cache already. (default: 0)")
  var depth: [NumberList] = []

  @Option(name: [.short, .long], help: "Threads. (default: as many as the process may use)")
  var threads: [NumberList] = []

  @Option(
    name: [.customShort("b"), .customLong("batch-size")],
    help: "Tokens of a step. (default: 512, raters 2048)")
  var batchSize: [NumberList] = []

  @Option(help: "Rows of a rater, of random lengths: 64-2048. Without -p, no others.")
  var ragged: [LengthRange] = []

  @Option(help: "Requests in a queue that the engine works off. Without -p and -n, nothing else.")
  var jobs: Int?

  @Option(help: "Mean and standard deviation of the tokens that a job generates. (default: 256,64)")
  var lengths: NumberPair?

  @Option(help: "How sequences share a step: of all depths together, or each a whole token per step. (default: depth)")
  var batching: [WordList<BatchingName>] = []

  @Option(
    name: [.customLong("ctk", withSingleDash: true), .customLong("cache-type-k")],
    help: "What keys are kept as. (default: f32)")
  var keyTypes: [WordList<CacheType>] = []

  @Option(
    name: [.customLong("ctv", withSingleDash: true), .customLong("cache-type-v")],
    help: "What values are kept as: the same as keys. (default: f32)")
  var valueTypes: [WordList<CacheType>] = []

  @OptionGroup(title: "Depth") var exits: DepthArguments

  func validate() throws {
    for pair in promptAndGenerated where pair.first == 0 || pair.second == 0 {
      throw ValidationError("-pg: expected two numbers of at least 1, found \(pair.first),\(pair.second)")
    }
    try require(sequenceCount, 1...1 << 16, "-npl")
    try require(threads, 1...WorkerPool.threadLimit, "-t")
    try require(batchSize, 1...1 << 20, "-b")
    for (keys, values) in zip(cacheTypes(keyTypes), cacheTypes(valueTypes)) { try CacheArguments.require(keys, values) }
    guard cacheTypes(keyTypes).count == cacheTypes(valueTypes).count else {
      throw ValidationError("-ctk, -ctv: expected one type for keys and values, found lists of different lengths")
    }
    if let jobs { try require(jobs, 1...1_000_000, "--jobs") }
    if let lengths {
      if jobs == nil { throw ValidationError("--lengths: expected --jobs with it, found none") }
      try require(lengths.first, 1...Int(Int32.max), "--lengths")
    }
  }

  var plan: BenchPlan {
    let queue = jobs.map { BenchJobs(count: $0, meanLength: lengths?.first ?? 256, deviation: lengths?.second ?? 64) }
    func numbers(_ lists: [NumberList], default value: Int?) -> [Int] {
      lists.isEmpty ? value.map { [$0] } ?? [] : lists.flatMap(\.values)
    }
    return BenchPlan(
      promptCounts: numbers(promptCount, default: queue == nil ? 512 : nil),
      rowLengths: numbers(promptCount, default: ragged.isEmpty ? 512 : nil),
      generatedCounts: numbers(generatedCount, default: queue == nil ? 128 : nil),
      pairs: promptAndGenerated, raggedRows: ragged, jobs: queue,
      depths: numbers(depth, default: 0), sequenceCounts: numbers(sequenceCount, default: 1),
      computesPromptsTogether: promptsTogether,
      threadCounts: numbers(threads, default: WorkerPool.availableProcessors),
      batchTokenCounts: numbers(batchSize, default: nil),
      batchings: batching.isEmpty ? [.depth] : batching.flatMap(\.values), cacheTypes: cacheTypes(keyTypes), exits: exits)
  }

  private func cacheTypes(_ lists: [WordList<CacheType>]) -> [CacheType] {
    lists.isEmpty ? [.f32] : lists.flatMap(\.values)
  }

  var columns: [BenchColumn] {
    BenchColumn.columns(batch: !batchSize.isEmpty, batching: !batching.isEmpty, cache: !keyTypes.isEmpty, jobs: jobs != nil)
  }

  private func require(_ lists: [NumberList], _ range: ClosedRange<Int>, _ name: String) throws {
    for value in lists.flatMap(\.values) { try ArgumentRange.require(value, range, name) }
  }

  private func require(_ value: Int, _ range: ClosedRange<Int>, _ name: String) throws {
    try ArgumentRange.require(value, range, name)
  }
}
