import Rally
import TestSupport
import Testing

/// What `memoryByteLimit` of models, runners and engines bounds.
struct MemoryLimitTests {
  private func code<T>(_ body: () throws -> T) -> RallyError.Code? {
    do {
      _ = try body()
      return nil
    } catch {
      return (error as? RallyError)?.code
    }
  }

  @Test func aModelThatDoesNotFitIsRefused() throws {
    var options = ModelOptions()
    options.memoryByteLimit = 1 << 20
    do {
      _ = try Model.open(path: Shipped.path("rally-tiny"), options: options)
      Issue.record("opened within 1 MB")
    } catch {
      #expect(error.code == .outOfMemory)
      #expect(error.message.contains("1048576") && error.message.contains("max_memory_bytes"), "\(error.message)")
    }
  }

  @Test func aRunnerGoesOnAfterwardsWithWhatItHad() throws {
    let model = try Shipped.language.get()
    let short = rows([4], vocabularySize: model.info.vocabularySize, seed: 2)
    let long = rows([500], vocabularySize: model.info.vocabularySize, seed: 2)
    let expected = try Runner(model: model).run(RowBatch(short))
    let needed = try Runner(model: model).memory.byteCount(offsets: [0, 500], newTokens: 0)
    let runner = try Runner(model: model, threads: 2, memoryByteLimit: needed / 2)
    for _ in 0..<3 {
      #expect(try runner.run(RowBatch(short)) == expected)
      #expect(code { try runner.run(RowBatch(long)) } == .outOfMemory)
    }
    let roomy = try Runner(model: model, threads: 2, memoryByteLimit: 2 * needed)
    #expect(code { try roomy.run(RowBatch(long)) } == nil)
  }

  @Test func anEnginesCacheTakesWhatIsLeft() throws {
    let model = try Shipped.language.get()
    var options = EngineOptions()
    options.threads = 1
    options.stepTokenCount = 32
    options.sequenceLimit = 4
    let whole = try EngineMemory(model: model, options: options)
    options.memoryByteLimit = whole.byteCount / 2
    var request = GenerationRequest(tokens: [1, 2, 3])
    request.maximumTokenCount = 8
    let engine = try Engine(model: model, options: options)
    for _ in 0..<8 { try engine.submit(request) }
    var count = 0
    try engine.run { event in
      if event.token != nil { count += 1 }
      return .goOn
    }
    #expect(count > 0)
    // A size that was asked for is taken or refused.
    options.cacheByteCount = whole.cacheByteCount
    #expect(code { try Engine(model: model, options: options) } == .outOfMemory)
  }

  @Test func whatIsClosedIsGivenBack() throws {
    let other = try Shipped.rater.get()
    let needed = try Runner(model: other, threads: 1).memory.byteCount(offsets: [0, 64, 364], newTokens: 0)
    var options = ModelOptions()
    options.memoryByteLimit = other.info.weightByteCount + 4 * needed + (8 << 20)
    let model = try Model.open(path: Shipped.path("rally-rater-tiny"), options: options)
    let batch = RowBatch(rows([64, 300], vocabularySize: model.info.vocabularySize, seed: 3))
    let scores = try Runner(model: model, threads: 1).rate(batch)
    // Far more in all than the limit.
    for _ in 0..<60 { #expect(try Runner(model: model, threads: 1).rate(batch) == scores) }
  }
}
