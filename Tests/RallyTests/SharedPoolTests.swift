import Rally
import Synchronization
import TestSupport
import Testing

/// Threads that several runners and engines have.
struct SharedPoolTests {
  @Test func runnersOnOnePoolGiveTheBitsOfEachAlone() async throws {
    let model = try Shipped.language.get()
    let all = rows([3, 40, 1, 70], vocabularySize: model.info.vocabularySize, seed: 5)
    let alone = try Runner(model: model, threads: 1).result(all, .threshold)
    let pool = try WorkerPool(threadCount: 3)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<3 {
        group.addTask {
          let runner = try Runner(model: model, pool: pool)
          for _ in 0..<5 where try runner.result(all, .threshold) != alone { return false }
          return true
        }
      }
      for try await same in group { #expect(same) }
    }
  }

  @Test func anEngineKeepsItsPool() throws {
    let model = try Shipped.language.get()
    var options = EngineOptions()
    options.pool = try WorkerPool(threadCount: 2)
    let engine = try Engine(model: model, options: options)
    options.pool = nil
    var request = GenerationRequest(tokens: [1, 2])
    request.maximumTokenCount = 5
    try engine.submit(request)
    var tokens: [Int32] = []
    try engine.run { event in
      if let token = event.token { tokens.append(token) }
      return .goOn
    }
    var expected: [Int32] = []
    try Runner(model: model, threads: 1).generate([request]) { event in
      if let token = event.token { expected.append(token) }
      return .goOn
    }
    #expect(tokens == expected && !tokens.isEmpty)
  }
}
