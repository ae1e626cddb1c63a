import CRally
import Glibc
import Rally

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
