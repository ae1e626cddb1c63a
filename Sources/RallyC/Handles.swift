import CRally
import Curation
import Glibc
import Rally
import Synchronization

/// What a `rally_model *` stands for: the model, and its texts as C strings that live as long.
final class ModelHandle: Sendable {
  static let table = HandleTable<ModelHandle>("model", tag: 0)

  let model: Model
  let metadata: [(key: CText, value: CText)]
  let tensorNames: [CText]
  let labels: [CText]

  init(_ model: Model) {
    self.model = model
    metadata = model.metadata.map { (CText($0.key), CText($0.value)) }
    tensorNames = model.tensors.map { CText($0.name) }
    labels = model.info.labels.map { CText($0) }
  }
}

/// Lends something to one call at a time.
final class Loan: Sendable {
  private let noun: String
  private let isBusy = Atomic<Bool>(false)
  /// The thread that holds `isBusy`.
  private let owner = Atomic<UInt>(0)

  init(_ noun: String) { self.noun = noun }

  /// - Throws: `busy` while another call has it, and what `body` throws.
  func use(_ body: () throws(RallyError) -> Void) throws(RallyError) {
    guard !isBusy.exchange(true, ordering: .acquiring) else {
      throw RallyError(
        .busy, noun, expected: "no call in progress", found: "one",
        remedy: "open one for each thread; callbacks may not call their own")
    }
    owner.store(UInt(pthread_self()), ordering: .relaxed)
    defer {
      owner.store(0, ordering: .relaxed)
      isBusy.store(false, ordering: .releasing)
    }
    try body()
  }

  /// Calls `hurry` until the call in progress has ended; a callback that closes its own object does not wait for itself.
  func waitUntilFree(_ hurry: () -> Void) {
    while isBusy.load(ordering: .acquiring) && owner.load(ordering: .relaxed) != UInt(pthread_self()) {
      hurry()
      usleep(200)
    }
  }
}

/// What a `rally_runner *` stands for: a runner that one call at a time may use.
final class RunnerHandle: @unchecked Sendable {  // the runner belongs to whoever has the loan
  static let table = HandleTable<RunnerHandle>("runner", tag: 1)

  let interruption: Interruption
  let memory: RunnerMemory
  private let runner: Runner
  private let loan = Loan("runner")

  init(_ runner: sending Runner) {
    interruption = runner.interruption
    memory = runner.memory
    self.runner = runner
  }

  func use(_ body: (Runner) throws(RallyError) -> Void) throws(RallyError) {
    try loan.use { () throws(RallyError) in try body(runner) }
  }

  /// Cancels the call in progress and waits for its end.
  func stop() { loan.waitUntilFree { interruption.cancel() } }
}

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

/// What a `rally_decoder *` stands for.
final class DecoderHandle: Sendable {
  static let table = HandleTable<DecoderHandle>("decoder", tag: 2)

  private let decoder: Mutex<StreamDecoder>

  init(_ decoder: sending StreamDecoder) { self.decoder = Mutex(decoder) }

  /// Moves the stream forward, or not at all when `body` throws.
  func advance(_ body: (inout StreamDecoder) throws(RallyError) -> Void) throws(RallyError) {
    try decoder.withLock { (decoder) throws(RallyError) in
      var next = decoder
      try body(&next)
      decoder = next
    }
  }
}

/// What a `rally_distribution *` stands for. Reads share what a write leaves behind; both take turns.
final class DistributionHandle: Sendable {
  static let table = HandleTable<DistributionHandle>("distribution", tag: 4)

  private struct State {
    var distribution: Distribution
    /// Made by the first read after a write.
    var ranks: ScoreRanks?
  }

  let label: CText
  private let state: Mutex<State>

  init(_ distribution: Distribution) {
    label = CText(distribution.label)
    state = Mutex(State(distribution: distribution))
  }

  var distribution: Distribution { state.withLock(\.distribution) }

  func change(_ body: (inout Distribution) throws(RallyError) -> Void) throws(RallyError) {
    try state.withLock { (state) throws(RallyError) in
      try body(&state.distribution)
      state.ranks = nil
    }
  }

  func ranks() throws(RallyError) -> ScoreRanks {
    try state.withLock { (state) throws(RallyError) in
      if let ranks = state.ranks { return ranks }
      let ranks = try state.distribution.ranks()
      state.ranks = ranks
      return ranks
    }
  }
}
