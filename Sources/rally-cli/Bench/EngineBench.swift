import Rally

/// What can be measured again and again.
protocol BenchSubject {
  /// Tokens of the jobs, or of the rows, where they differ; the same in every repetition.
  var lengths: [Int] { get }
  func warmUp() throws
  func run(repetition: Int) throws -> BenchSample
}

/// Measures a language model, on an engine of its own.
final class EngineBench: BenchSubject {
  let lengths: [Int]
  private let test: BenchTest
  private let engine: Engine
  private let info: ModelInfo
  private let seed: UInt64
  private let temperature: Float
  private let memory: Memory
  /// Tokens that each request has generated, from the first that was submitted last.
  private var generated: [Int] = []
  private var firstNumber = 0
  private var hasFinished = false

  /// Generated tokens that run before the clock starts: enough to compile the products of most numbers of rows.
  private static let warmUpTokenCount = 32

  init(_ test: BenchTest, model: Model, seed: UInt64, temperature: Float) throws(RallyError) {
    self.test = test
    self.seed = seed
    self.temperature = temperature
    info = model.info
    lengths = test.jobLengths(seed: seed, model.info)
    memory = Memory(test, model.info, lengths: lengths)
    var options = EngineOptions()
    options.threads = test.threadCount
    options.stepTokenCount = test.batchTokenCount
    options.sequenceLimit = test.sequenceCount
    options.cacheByteCount = memory.byteCount
    options.batching = test.batching == .sequence ? .sequenceWise : .depthWise
    options.cacheType = test.cacheType
    options.sharesPrefixes = test.depth > 0
    engine = try Engine(model: model, options: options)
  }

  func warmUp() throws {
    var tokens = TokenSource(seed: seed, stream: -1, info)
    switch test.work {
    case .generation(let count): _ = try generate(min(count, Self.warmUpTokenCount), &tokens)
    case .jobs: _ = try runJobs(lengths.prefix(test.sequenceCount).map { min($0, Self.warmUpTokenCount) }, &tokens)
    default: _ = try run(&tokens)
    }
  }

  func run(repetition: Int) throws -> BenchSample {
    var tokens = TokenSource(seed: seed, stream: repetition, info)
    return try run(&tokens)
  }

  private func run(_ tokens: inout TokenSource) throws -> BenchSample {
    switch test.work {
    case .prompt(let count): return try runPrompts(count, generating: 0, &tokens)
    case .promptAndGeneration(let count, let generated): return try runPrompts(count, generating: generated, &tokens)
    case .generation(let count): return try generate(count, &tokens)
    case .jobs: return try runJobs(lengths, &tokens)
    case .rating, .raggedRating: preconditionFailure("a rater's test on a language model")
    }
  }

  // MARK: Tests

  /// Whole prompts up to the logits of their last token, and `count` tokens after each that run through the model too.
  private func runPrompts(_ promptCount: Int, generating count: Int, _ tokens: inout TokenSource) throws -> BenchSample {
    // The last token that is generated is never computed.
    try submit(behindContext(promptCount, &tokens), limit: count + 1, &tokens)
    let sample = try measure(until: { !engine.isBusy }) { test.sequenceCount * (promptCount + count) }
    let keptCount = Int(sample.work.sharedTokenCount)
    guard keptCount == test.sequenceCount * test.depth else {
      throw CommandFailure(
        .arguments,
        "\(test.name): expected \(test.sequenceCount) × \(test.depth) tokens in the cache, found \(keptCount); "
          + "a context is kept from 32 tokens on, those of at most \(Engine.retainedSequenceLimit / 2) sequences for certain")
    }
    return sample
  }

  /// From the step in which the last sequence got its first token until one has got `count` more: all run all the time.
  private func generate(_ count: Int, _ tokens: inout TokenSource) throws -> BenchSample {
    try submit(behindContext(1, &tokens), limit: memory.positionCount - test.depth, &tokens)
    try step { generated.allSatisfy { $0 > 0 } || hasFinished }
    guard !hasFinished else {
      throw CommandFailure(
        .arguments, "\(test.name): a sequence was at the end of the model's context before the last one began; lower -npl")
    }
    let start = generated
    let sample = try measure(until: { hasFinished || zip(generated, start).contains { $0 - $1 >= count } }) {
      zip(generated, start).reduce(0) { $0 + $1.0 - $1.1 }
    }
    engine.cancelAll()
    try step { !engine.isBusy }
    return sample
  }

  private func runJobs(_ lengths: [Int], _ tokens: inout TokenSource) throws -> BenchSample {
    beginSubmission(count: lengths.count)
    for length in lengths { try submit(tokens.tokens(1), limit: length, &tokens) }
    return try measure(until: { !engine.isBusy }) { lengths.reduce(0, +) }
  }

  /// Prompts of `count` tokens after the context of the test, which the engine then holds.
  private func behindContext(_ count: Int, _ tokens: inout TokenSource) throws -> [[Int32]] {
    let contexts = (0..<test.sequenceCount).map { _ in tokens.tokens(test.depth) }
    if test.depth > 0 {
      engine.forgetRetainedSequences()
      try submit(contexts, limit: 1, &tokens)
      try step { !engine.isBusy }
    }
    return contexts.map { $0 + tokens.tokens(count) }
  }

  // MARK: Steps

  private func submit(_ prompts: [[Int32]], limit: Int, _ tokens: inout TokenSource) throws(RallyError) {
    beginSubmission(count: prompts.count)
    for prompt in prompts { try submit(prompt, limit: limit, &tokens) }
  }

  /// Begins to count again.
  private func beginSubmission(count: Int) {
    firstNumber += generated.count
    generated = Array(repeating: 0, count: count)
    hasFinished = false
  }

  private func submit(_ prompt: [Int32], limit: Int, _ tokens: inout TokenSource) throws(RallyError) {
    var request = GenerationRequest(tokens: prompt)
    request.maximumTokenCount = limit
    request.stopsAtEndOfSequence = false
    request.sampling.temperature = temperature
    request.sampling.seed = tokens.seed()
    test.exits.set(&request)
    try engine.submit(request)
  }

  private func measure(until isDone: () -> Bool, tokenCount: () -> Int) throws -> BenchSample {
    let before = EngineWork(engine)
    let start = now()
    try step(until: isDone)
    let seconds = now() - start
    return BenchSample(seconds: seconds, tokenCount: tokenCount(), work: EngineWork(engine) - before)
  }

  private func step(until isDone: () -> Bool) throws {
    while !isDone() {
      if Interrupt.isRequested { throw CommandFailure.interrupted }
      try engine.step { event in
        generated[event.request - firstNumber] += event.token == nil ? 0 : 1
        if event.finishReason != nil { hasFinished = true }
        return .goOn
      }
    }
  }
}

extension BenchTest {
  fileprivate func jobLengths(seed: UInt64, _ info: ModelInfo) -> [Int] {
    guard case .jobs(let jobs) = work else { return [] }
    var source = TokenSource(seed: seed, stream: 0, info)
    return source.lengths(jobs, within: 1...info.contextLength)
  }
}

/// What the sequences of a test fill, so that none has to wait for another's.
private struct Memory {
  /// Of one sequence at most.
  let positionCount: Int
  /// Keys and values of all.
  let byteCount: Int

  /// Blocks of the cache begin at multiples of this.
  private static let blockTokenCount = 32

  init(_ test: BenchTest, _ info: ModelInfo, lengths: [Int]) {
    var positions = test.contextCount
    if case .jobs = test.work { positions = lengths.max() ?? 1 }
    if case .generation = test.work {
      // What the first ones generate before the last one begins: at most a token a pass. Of more contexts than the engine
      // keeps, the others are computed again.
      let again = max(0, test.sequenceCount - Engine.retainedSequenceLimit) * (test.depth + test.batchTokenCount)
      let stepCount = 1 + again / max(1, test.batchTokenCount - test.sequenceCount)
      positions += stepCount * (info.recursionCount + 4)
    }
    positionCount = min(positions, info.contextLength)
    func blocks(_ tokenCount: Int) -> Int { (tokenCount + Self.blockTokenCount - 1) / Self.blockTokenCount }
    // Contexts that were computed before, and the block of each that is copied.
    let blockCount = blocks(positionCount) + (test.depth > 0 ? blocks(test.depth) + 1 : 0)
    let bytes = Int128(test.sequenceCount) * Int128(blockCount * Self.blockTokenCount)
    byteCount = Int(clamping: bytes * Int128(info.keyValueByteCountPerToken(test.cacheType)))
  }
}
