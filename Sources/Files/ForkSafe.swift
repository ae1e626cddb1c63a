import Glibc

/// A value behind a lock that the child of a fork can use as well.
///
/// The library's locks wait for forks, and forks for them (CHost/forks.c). `Mutex` of the standard library cannot stand here: it
/// keeps the number that the system gave the thread, which is another one in a child, and ends the process when it sees that.
@safe
package final class ForkSafe<Value: ~Copyable>: @unchecked Sendable {  // every access holds the lock
  private var value: Value
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>

  package init(_ value: consuming sending Value) {
    self.value = value
    unsafe mutex = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  /// `body` may not call the host: a fork waits until it has returned.
  package func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return try body(&value)
  }
}
