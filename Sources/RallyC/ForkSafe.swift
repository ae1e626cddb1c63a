import Glibc
import Synchronization

/// A value behind a spin lock that stays usable in the child of a fork.
///
/// `Mutex` remembers the thread that holds it, which a child does not have. This lock is a flag:
/// `fork` waits for it, so that the child finds it free and the value whole. Held for a few
/// instructions at a time.
final class ForkSafe<Value: ~Copyable>: @unchecked Sendable {  // every access holds the lock
  private var value: Value

  init(_ value: consuming sending Value) {
    ForkLock.install
    self.value = value
  }

  func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    ForkLock.acquire()
    defer { ForkLock.release() }
    return body(&value)
  }
}

/// One lock for all tables: a fork takes it once.
private enum ForkLock {
  private static let taken = Atomic<Bool>(false)

  static let install: Void = {
    pthread_atfork({ ForkLock.acquire() }, { ForkLock.release() }, { ForkLock.release() })
    return ()
  }()

  static func acquire() {
    while taken.exchange(true, ordering: .acquiring) { sched_yield() }
  }

  static func release() {
    taken.store(false, ordering: .releasing)
  }
}
