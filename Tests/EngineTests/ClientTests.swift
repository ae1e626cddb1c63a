import Glibc
import Rally
import Synchronization
import TestSupport
import Testing

/// A client: many tasks, one engine, and what each gets is what it would get alone.
@Suite struct ClientTests {
  private func requests(_ count: Int, tokens: Int = 20) throws -> [GenerationRequest] {
    let size = try Shipped.language.get().info.vocabularySize
    return rows((0..<count).map { 1 + 7 * $0 }, vocabularySize: size, seed: 11).enumerated().map { index, row in
      var request = GenerationRequest(tokens: row)
      request.maximumTokenCount = tokens
      request.stopsAtEndOfSequence = false
      request.sampling.temperature = index % 2 == 0 ? 0 : 0.8
      request.sampling.seed = UInt64(index)
      return request
    }
  }

  /// A request that waits at a gate before each token after the first `free` ones: no race decides what a test sees.
  private func request(after gate: Gate, free: Int = 0) throws -> GenerationRequest {
    var request = try requests(1)[0]
    request.logitsProcessor = unsafe LogitsProcessor(.init(UInt(bitPattern: ObjectIdentifier(gate)))) { rows in
      if unsafe rows.contains(where: { unsafe $0.tokens.count - $0.promptCount >= free }) { gate.wait() }
      return true
    }
    return request
  }

  @Test func manyTasksGetWhatEachWouldAlone() async throws {
    let model = try Shipped.language.get()
    let all = try requests(12)
    let alone = try Runner(model: model).generate(all)
    let client = try EngineClient(model: model)
    let together = try await withThrowingTaskGroup(of: (Int, Generation).self) { group in
      for (index, request) in all.enumerated() {
        group.addTask {
          var generation = Generation()
          for try await event in try client.submit(request) { generation.append(event) }
          return (index, generation)
        }
      }
      return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
    }
    for (index, generation) in alone.enumerated() {
      #expect(together[index] == generation)
      #expect(generation.tokens.count == 20 && generation.finishReason == .limit)
    }
    #expect(client.counters.first { $0.name == "requests_finished_total" }?.value == 12)
  }

  @Test func aTextIsOneCall() async throws {
    let model = try Shipped.language.get()
    var request = try GenerationRequest("Once upon a time", for: model)
    request.maximumTokenCount = 12
    let text = try await EngineClient(model: model).submit(request).text()
    #expect(try text == Runner(model: model).generate([request])[0].text)
    #expect(!text.isEmpty)
  }

  @Test func cancellingByNumberEndsOneAlone() async throws {
    let client = try EngineClient(model: Shipped.language.get())
    let gate = Gate()
    let long = try client.submit(request(after: gate, free: 4))
    let short = try client.submit(requests(1)[0])
    var reasons: [FinishReason] = []
    for try await event in long {
      if event.index == 3 {
        client.cancel(long.request)
        gate.open()
      }
      if let reason = event.finishReason { reasons.append(reason) }
    }
    #expect(reasons == [.cancelled])
    var generation = Generation()
    for try await event in short { generation.append(event) }
    #expect(generation.finishReason == .limit)
    client.cancel(long.request)
    client.cancel(.max)
    client.cancel(.min)
  }

  /// A task that is cancelled ends its request: the engine has nothing left to do, though nobody asked it to stop.
  @Test func cancellingTheReaderCancelsTheRequest() async throws {
    let client = try EngineClient(model: Shipped.language.get())
    let gate = Gate()
    let request = try request(after: gate, free: 1)
    let (started, start) = AsyncStream<Void>.makeStream()
    let reader = Task {
      for try await _ in try client.submit(request) { start.yield() }
    }
    for await _ in started { break }
    reader.cancel()
    await #expect(throws: CancellationError.self) { try await reader.value }
    gate.open()
    await #expect(finishedCount(client, reaches: 1))
    #expect(client.counters.first { $0.name == "requests_cancelled_total" }?.value == 1)
  }

  @Test func lettingGoCancelsTheRequest() async throws {
    let client = try EngineClient(model: Shipped.language.get())
    let gate = Gate()
    _ = try client.submit(request(after: gate))
    gate.open()
    await #expect(finishedCount(client, reaches: 1))
    #expect(client.counters.first { $0.name == "requests_cancelled_total" }?.value == 1)
  }

  /// Looks again as long as it takes: an engine that never gets there hangs the test, and no clock decides.
  private func finishedCount(_ client: EngineClient, reaches count: Double) async -> Bool {
    while client.counters.first(where: { $0.name == "requests_finished_total" })?.value ?? 0 < count { await Task.yield() }
    return true
  }

  @Test func closingEndsAllAndTakesNoMore() async throws {
    let client = try EngineClient(model: Shipped.language.get())
    let gate = Gate()
    let events = try client.submit(request(after: gate))
    client.close()
    client.close()
    gate.open()
    var generation = Generation()
    for try await event in events { generation.append(event) }
    #expect(generation.finishReason == .cancelled)
    #expect { try client.submit(requests(1)[0]) } throws: { ($0 as? RallyError)?.code == .closed }
  }

  /// What is still read goes on; without readers the engine ends.
  @Test func theEngineEndsWithItsLastReader() async throws {
    weak var gone: EngineClient?
    do {
      var client: EngineClient? = try EngineClient(model: Shipped.language.get())
      gone = client
      let events = try #require(client).submit(requests(1)[0])
      client = nil
      var generation = Generation()
      for try await event in events { generation.append(event) }
      #expect(generation.finishReason == .limit)
    }
    #expect(gone == nil)
  }

  @Test func whatIsWrongIsThrownAtOnce() throws {
    var options = EngineOptions()
    (options.sequenceLimit, options.queueLimit) = (1, 1)
    let client = try EngineClient(model: Shipped.language.get(), options: options)
    #expect { try client.submit(GenerationRequest(tokens: [])) } throws: { ($0 as? RallyError)?.code == .emptyInput }
    #expect { try client.submit(GenerationRequest(tokens: [-1])) } throws: { ($0 as? RallyError)?.code == .invalidToken }
    let gate = Gate()
    let held = [try client.submit(request(after: gate)), try client.submit(request(after: gate))]
    #expect { try client.submit(requests(1)[0]) } throws: { ($0 as? RallyError)?.code == .queueFull }
    #expect { try EngineClient(model: Shipped.rater.get()) } throws: { ($0 as? RallyError)?.code == .wrongKind }
    withExtendedLifetime(held) { client.cancelAll() }
    gate.open()
  }
}

/// Holds the engine's thread until it is opened.
private final class Gate: Sendable {
  private let isOpen = Atomic<Bool>(false)

  func open() { isOpen.store(true, ordering: .releasing) }

  func wait() { while !isOpen.load(ordering: .acquiring) { sched_yield() } }
}
