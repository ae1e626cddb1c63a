import CRally
import Glibc
import Rally
import Synchronization

/// What a `rally_model *` stands for: the model, and its texts as C strings that live as long.
final class ModelHandle: Sendable {
  static let table = HandleTable<ModelHandle>("model", tag: 0)

  let model: Model
  let metadata: [(key: CText, value: CText)]
  let tensorNames: [CText]

  init(_ model: Model) {
    self.model = model
    metadata = model.metadata.map { (CText($0.key), CText($0.value)) }
    tensorNames = model.tensors.map { CText($0.name) }
  }
}

/// What a `rally_runner *` stands for: a runner that one call at a time may use.
final class RunnerHandle: @unchecked Sendable {  // the runner belongs to whoever holds `isBusy`
  static let table = HandleTable<RunnerHandle>("runner", tag: 1)

  let interruption: Interruption
  let memory: RunnerMemory
  private let runner: Runner
  private let isBusy = Atomic<Bool>(false)
  /// The thread that holds `isBusy`.
  private let owner = Atomic<UInt>(0)

  init(_ runner: sending Runner) {
    interruption = runner.interruption
    memory = runner.memory
    self.runner = runner
  }

  /// Lends the runner to one call.
  /// - Throws: `busy` while another has it, and what `body` throws.
  func use(_ body: (Runner) throws(RallyError) -> Void) throws(RallyError) {
    guard !isBusy.exchange(true, ordering: .acquiring) else {
      throw RallyError(
        .busy, "runner", expected: "no call in progress", found: "one",
        remedy: "open a runner for each thread; callbacks may not call their own")
    }
    owner.store(UInt(pthread_self()), ordering: .relaxed)
    defer {
      owner.store(0, ordering: .relaxed)
      isBusy.store(false, ordering: .releasing)
    }
    try body(runner)
  }

  /// Cancels the call in progress and waits for its end; a callback that closes its own runner does
  /// not wait for itself.
  func stop() {
    while isBusy.load(ordering: .acquiring) && owner.load(ordering: .relaxed) != UInt(pthread_self()) {
      interruption.cancel()
      usleep(200)
    }
  }
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
