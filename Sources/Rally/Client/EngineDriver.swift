import CHost
import Engine
import Files
import Glibc
import Kernels
import Models
import Synchronization

/// Steps an engine on a thread of its own as long as requests are left, and gives each event to whoever reads its request.
///
/// The thread holds this object, so an engine lives until its last step has ended.
final class EngineDriver: @unchecked Sendable {  // of the engine, threads other than its own use what any thread may
  private typealias Reader = AsyncThrowingStream<TokenEvent, any Error>.Continuation

  private struct State {
    var readers: [Int: Reader] = [:]
    var isClosed = false
  }

  private static var stackByteCount: Int { 1 << 20 }

  private let engine: Engine
  private let state = Mutex(State())

  init(model: Model, options: EngineOptions) throws(RallyError) {
    engine = try Engine(model: model, options: options)
    guard SystemThread.start(stackByteCount: Self.stackByteCount, isDetached: true, { self.run() }) != nil else {
      throw RallyError(.outOfMemory, "engine", expected: "a thread of its own", found: "none that the system gives")
    }
  }

  // MARK: Any thread

  func submit(_ request: GenerationRequest) throws(RallyError) -> (number: Int, AsyncThrowingStream<TokenEvent, any Error>) {
    // Under the lock the thread cannot look for the reader before it is there.
    try state.withLock { (state) throws(RallyError) in
      guard !state.isClosed else {
        throw RallyError(.closed, "engine", expected: "an open engine", found: "one that was closed")
      }
      let number = try engine.submit(request)
      let (stream, reader) = AsyncThrowingStream<TokenEvent, any Error>.makeStream()
      reader.onTermination = { [weak self] reason in
        if case .cancelled = reason { self?.cancel(number) }
      }
      state.readers[number] = reader
      return (number, stream)
    }
  }

  func cancel(_ request: Int) { engine.cancel(request) }

  func cancelAll() { engine.cancelAll() }

  func close() {
    state.withLock { $0.isClosed = true }
    engine.stopWaiting()
  }

  var counters: [EngineCounter] { engine.counters }

  // MARK: The engine's own thread

  private func run() {
    rh_fp_set_default()
    unsafe rh_name_thread("rally-engine")
    while waitForWork() {
      do throws(RallyError) {
        try engine.step { give($0) }
      } catch {
        end(with: error)
      }
    }
    engine.cancelAll()
    // Nothing is computed any more: the first step ends all.
    _ = try? engine.step { give($0) }
    end(with: RallyError(.closed, "engine", expected: "an open engine", found: "one that was closed meanwhile"))
  }

  private func waitForWork() -> Bool {
    while true {
      do throws(RallyError) {
        try engine.wait(seconds: .infinity)
        return true
      } catch {
        if error.code == .closed { return false }
      }
    }
  }

  private func give(_ event: TokenEvent) -> EventReply {
    let isLast = event.finishReason != nil
    let reader = state.withLock { isLast ? $0.readers.removeValue(forKey: event.request) : $0.readers[event.request] }
    // Outside the lock: what a reader does at its end may submit.
    reader?.yield(event)
    if isLast { reader?.finish() }
    return .goOn
  }

  /// Ends all requests with an error that is no fault of theirs.
  private func end(with error: RallyError) {
    engine.cancelAll()
    let readers = state.withLock { state in
      defer { state.readers = [:] }
      return state.readers
    }
    for reader in readers.values { reader.finish(throwing: error) }
  }
}
