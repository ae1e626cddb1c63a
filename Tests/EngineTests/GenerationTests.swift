import Rally
import TestSupport
import Testing

struct GenerationTests {
  private struct Text: Equatable {
    var tokens: [Int32] = []
    var depths: [Int32] = []
    var logProbabilities: [UInt32] = []
    var reason: FinishReason?
  }

  private func generate(_ requests: [GenerationRequest], threads: Int = 2, batchTokens: Int = 2048) throws -> [Text] {
    let runner = try Runner(model: Shipped.language.get(), threads: threads, batchTokens: batchTokens)
    var texts = Array(repeating: Text(), count: requests.count)
    try runner.generate(requests) { event in
      #expect(event.index == texts[event.request].tokens.count)
      #expect(texts[event.request].reason == nil, "nothing comes after the end")
      if let token = event.token {
        texts[event.request].tokens.append(token)
        texts[event.request].depths.append(event.depth)
        texts[event.request].logProbabilities.append(event.logProbability.bitPattern)
      }
      texts[event.request].reason = event.finishReason
      return .goOn
    }
    return texts
  }

  private func requests(_ lengths: [Int], count: Int = 20) throws -> [GenerationRequest] {
    let size = try Shipped.language.get().info.vocabularySize
    return rows(lengths, vocabularySize: size, seed: 5).enumerated().map { index, row in
      var request = GenerationRequest(tokens: row)
      request.maximumTokenCount = count
      request.stopsAtEndOfSequence = false
      request.sampling.temperature = index % 2 == 0 ? 0 : 0.8
      request.sampling.seed = UInt64(index)
      return request
    }
  }

  @Test(arguments: [(1, 2048), (2, 3), (3, 50)])
  func aTextDoesNotDependOnItsCompany(setting: (threads: Int, batchTokens: Int)) throws {
    let all = try requests([1, 40, 7, 100])
    let together = try generate(all, threads: setting.threads, batchTokens: setting.batchTokens)
    for (request, text) in zip(all, together) { #expect(try generate([request]) == [text]) }
    #expect(together.allSatisfy { $0.tokens.count == 20 && $0.reason == .limit })
  }

  /// Bit for bit the logits of the full forward, at every step.
  @Test func cachesChangeNothing() throws {
    let model = try Shipped.language.get()
    for (request, text) in zip(try requests([3, 65]), try generate(try requests([3, 65]))) {
      let whole = try Runner(model: model, threads: 1).result([request.tokens + text.tokens], .threshold)
      let first = request.tokens.count - 1
      #expect(Array(whole.logProbabilities[first...]) == text.logProbabilities)
      #expect(Array(whole.depths[first..<first + text.depths.count]) == text.depths)
    }
  }

  @Test func itEndsWhereItShould() throws {
    let model = try Shipped.language.get()
    var request = try requests([10])[0]
    let free = try generate([request])[0]
    request.stopTokens = [free.tokens[4]]
    let stopped = try generate([request])[0]
    #expect(stopped.reason == .stop)
    #expect(stopped.tokens == Array(free.tokens[...(free.tokens.firstIndex(of: free.tokens[4]) ?? 0)]))

    var full = try requests([model.info.contextLength - 3])[0]
    full.maximumTokenCount = nil
    let text = try generate([full])[0]
    #expect(text.reason == .contextFull)
    #expect(text.tokens.count == 4)
  }

  @Test func aReplyEndsOneOrAll() throws {
    let runner = try Runner(model: Shipped.language.get())
    var reasons: [Int: FinishReason] = [:]
    var counts = [0, 0, 0]
    try runner.generate(try requests([4, 4, 4])) { event in
      if let reason = event.finishReason { reasons[event.request] = reason }
      if event.token != nil { counts[event.request] += 1 }
      if event.request == 0 && event.index == 2 { return .endSequence }
      return event.request == 1 && event.index == 6 ? .endAll : .goOn
    }
    #expect(reasons == [0: .cancelled, 1: .cancelled, 2: .cancelled])
    #expect(counts[0] == 3 && counts[1] == 7 && counts[2] == 6)
  }

  @Test func aDepthBudgetHolds() throws {
    var request = try requests([30])[0]
    request.maximumDepth = 1
    #expect(try generate([request])[0].depths.allSatisfy { $0 == 1 })
  }

  @Test func wrongParametersAreNamed() throws {
    func message(_ change: (inout GenerationRequest) -> Void) throws -> String {
      var request = try requests([3])[0]
      change(&request)
      do {
        _ = try generate([request])
        return "none"
      } catch { return (error as? RallyError)?.message ?? "\(error)" }
    }
    #expect(try message { $0.sampling.temperature = .nan }.contains("request 0, temperature"))
    #expect(try message { $0.sampling.topP = 0 }.contains("top_p"))
    #expect(try message { $0.maximumTokenCount = 0 }.contains("max_tokens"))
    #expect(try message { $0.stopTokens = [-5] }.contains("stop_tokens"))
    #expect(try message { $0.maximumDepth = -1 }.contains("max_depth"))
  }
}
