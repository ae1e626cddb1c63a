import Rally
import TestSupport
import Testing

/// Whatever numbers a host gives, it gets an answer or an error: a trap would end this process.
@Suite struct HostNumberTests {
  private static let integers = [Int.min, Int.min + 1, -1, 0, 1, 2, 1 << 31, 1 << 32, 1 << 62, Int.max - 1, Int.max]
  private static let numbers = [
    -Double.infinity, -Double.greatestFiniteMagnitude, -1, -0.0, 0, .leastNonzeroMagnitude, 1, 1e300, .infinity, .nan,
  ]

  /// Runs `body` and takes any error of Rally's for an answer.
  private func answers(_ body: () throws -> Void) throws {
    do { try body() } catch is RallyError {}
  }

  @Test(arguments: integers) func integersOfAnEngine(number: Int) throws {
    let model = try Shipped.language.get()
    let changes: [(inout EngineOptions) -> Void] = [
      { $0.threads = number }, { $0.stepTokenCount = number }, { $0.sequenceLimit = number }, { $0.queueLimit = number },
      { $0.cacheByteCount = number },
    ]
    for change in changes {
      var options = EngineOptions()
      options.cacheByteCount = 1 << 20
      options.threads = 1
      change(&options)
      // What an engine would take is known before it takes it; large ones are not opened.
      try answers {
        let memory = try EngineMemory(model: model, options: options)
        guard memory.byteCount < 1 << 26 else { return }
        let engine = try Engine(model: model, options: options)
        engine.cancel(number)
        _ = try engine.savedByteCount(number)
      }
    }
  }

  @Test(arguments: integers) func integersOfARequest(number: Int) throws {
    let model = try Shipped.language.get()
    let small = Int32(truncatingIfNeeded: number)
    let changes: [(inout GenerationRequest) -> Void] = [
      { $0.maximumTokenCount = number }, { $0.maximumDepth = number }, { $0.exitFrom = number }, { $0.topTokenCount = number },
      { $0.priority = number }, { $0.tag = UInt(bitPattern: number) }, { $0.exit.minimumDepth = number },
      { $0.sampling.seed = UInt64(bitPattern: Int64(number)) }, { $0.sampling.topK = number }, { $0.stopTokens = [small] },
      { $0.logitBias = [(small, 1)] }, { $0.tokens = [small] },
    ]
    for change in changes {
      var request = GenerationRequest(tokens: [1, 2])
      request.maximumTokenCount = 2
      request.sampling.temperature = 1
      change(&request)
      if request.maximumTokenCount ?? 0 > 2 { request.stopTokens = Array(0..<Int32(model.info.vocabularySize)) }
      try answers { _ = try Runner(model: model, threads: 1).generate([request]) }
    }
  }

  @Test(arguments: numbers) func numbersOfARequest(number: Double) throws {
    let model = try Shipped.language.get()
    let small = Float(number)
    let changes: [(inout GenerationRequest) -> Void] = [
      { $0.targetDepth = number }, { $0.timeout = number }, { $0.exit.threshold = number }, { $0.sampling.temperature = small },
      { $0.sampling.topP = small }, { $0.sampling.minP = small }, { $0.penalties.repetition = small },
      { $0.penalties.presence = small }, { $0.penalties.frequency = small }, { $0.logitBias = [(0, small)] },
    ]
    for change in changes {
      var request = GenerationRequest(tokens: [1, 2])
      request.maximumTokenCount = 2
      change(&request)
      try answers { _ = try Runner(model: model, threads: 1).generate([request]) }
      try answers { _ = try Runner(model: model, threads: 1).generate([request], timeout: number) }
    }
  }

  @Test(arguments: integers) func integersOfARun(number: Int) throws {
    let model = try Shipped.language.get()
    let rows = RowBatch([[1, 2, 3], [4]])
    try answers { _ = try Runner(model: model, threads: number) }
    let runner = try Runner(model: model, threads: 1, batchTokens: number)
    try answers { _ = try runner.run(rows, positions: [number]) }
    try answers { _ = try runner.run(rows, targets: [1, 2, 3, Int32(truncatingIfNeeded: number)]) }
    try answers { _ = try RowBatch(tokens: [1, 2], offsets: [0, number, 2]) }
    try answers { _ = try runner.memory.byteCount(offsets: [0, number], newTokens: number) }
    try answers { _ = try runner.memory.byteCount(offsets: [number], newTokens: 0) }
    try answers { _ = try runner.memory.byteCount(offsets: [], newTokens: 0) }
    try answers { _ = try Exposure.measure(teacher: runner, base: Runner(model: model), rows: rows, givenCounts: [number, 1]) }
    try answers {
      var options = LineageOptions()
      (options.permutationCount, options.threads) = (number, number)
      _ = try Lineage.compare(Shipped.path("rally-rater-tiny"), Shipped.path("rally-rater-tiny"), options: options)
    }
    let changes: [(inout RunOptions) -> Void] = [
      { $0.maximumDepth = number }, { $0.exitFrom = [number] }, { $0.exit.minimumDepth = number },
    ]
    for change in changes {
      var options = RunOptions()
      change(&options)
      try answers { _ = try runner.run(rows, options: options) }
    }
  }

  @Test(arguments: integers) func integersOfARating(number: Int) throws {
    let model = try Shipped.rater.get()
    let runner = try Runner(model: model, threads: 1)
    try answers { _ = try runner.rate(RowBatch([[Int32(truncatingIfNeeded: number)]])) }
    let changes: [(inout DocumentOptions) -> Void] = [
      { $0.windowTokenCount = number }, { $0.stride = number }, { $0.maximumWindowCount = number }, { $0.characterCount = number },
    ]
    for change in changes {
      var options = DocumentOptions()
      change(&options)
      try answers { _ = try runner.rate(texts: ["A clear text, and some more of it."], options: options) }
    }
  }

  @Test(arguments: integers) func tokensOfATokenizer(number: Int) throws {
    let tokenizer = try #require(Shipped.language.get().tokenizer)
    let token = Int32(truncatingIfNeeded: number)
    try answers { _ = try tokenizer.decode([token]) }
    try answers { _ = try tokenizer.tokenBytes(token) }
    _ = tokenizer.isSpecial(token)
    var decoder = StreamDecoder(tokenizer: tokenizer)
    try answers { _ = try decoder.push(token) }
  }

  @Test(arguments: numbers) func numbersOfSelection(number: Double) throws {
    let scores: [Float] = [0.5, -1, Float(number), 2]
    try answers {
      var distribution = try Distribution()
      try distribution.add(scores)
      _ = try distribution.ranks().cdf([Float(number)])
      _ = try distribution.ranks().quantiles([number])
    }
    try answers { _ = try Acceptance.probabilities([number], batch: 8, keeping: 4) }
    try answers { _ = try Acceptance.decide(ids: [[1]], probabilities: [number], fingerprint: "", seed: .max) }
    try answers { _ = try BatchFilter.drawCount(keeping: 4, discarding: number) }
    try answers { _ = try BatchFilter.keepCount(of: 4, keeping: number) }
    try answers { _ = try BatchFilter.softmaxWeights(scores) }
    try answers { _ = try BatchFilter.ratingCost(raterParameters: number, modelParameters: number, discarding: number) }
    var value = EValue()
    value.add(number)
    _ = value.rejects(at: number)
  }

  @Test(arguments: integers) func integersOfSelection(number: Int) throws {
    try answers { _ = try Distribution(capacity: min(number, 1 << 20)) }
    try answers { _ = try Acceptance.probabilities([0.5], batch: number, keeping: number) }
    try answers { _ = try BatchFilter.drawCount(keeping: number, discarding: 0.5) }
    try answers { _ = try BatchFilter.keepCount(of: number, keeping: 0.5) }
    try answers { _ = try BatchFilter.top([1, 2, 3], keeping: number) }
  }
}
