import Glibc
import Rally
import Synchronization

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
