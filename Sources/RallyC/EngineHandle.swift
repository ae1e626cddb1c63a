import CRally
import Glibc
import Rally

/// What a `rally_engine *` stands for: an engine that one call at a time may drive, and any thread may write to.
final class EngineHandle: @unchecked Sendable {  // the engine belongs to whoever has the loan, its inbox to all
  static let table = HandleTable<EngineHandle>("engine", tag: 3)

  let counterNames: [CText]
  private let engine: Engine
  private let loan = Loan("engine")

  init(_ engine: sending Engine) {
    counterNames = engine.counters.map { CText($0.name) }
    self.engine = engine
  }

  func use(_ body: (Engine) throws(RallyError) -> Void) throws(RallyError) {
    try loan.use { () throws(RallyError) in try body(engine) }
  }

  func submit(_ request: GenerationRequest) throws(RallyError) -> Int { try engine.submit(request) }
  func cancel(_ request: Int) { engine.cancel(request) }
  func cancelAll() { engine.cancelAll() }
  var counters: [EngineCounter] { engine.counters }

  /// Ends all requests and waits for the call in progress.
  func stop() {
    engine.stopWaiting()
    loan.waitUntilFree { engine.cancelAll() }
  }

  func wait(seconds: Double) throws(RallyError) { try engine.wait(seconds: seconds) }
}
