import Glibc
import Synchronization

/// Wakes threads that wait for something to change. Costs a load where no thread waits.
@safe
final class Bell: @unchecked Sendable {  // what is shared is the system's own lock
  private let waiters = Atomic<Int>(0)
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let rung: UnsafeMutablePointer<pthread_cond_t>

  init() {
    unsafe mutex = .allocate(capacity: 1)
    unsafe rung = .allocate(capacity: 1)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(rung, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    unsafe pthread_cond_destroy(rung)
    unsafe pthread_mutex_destroy(mutex)
    unsafe rung.deallocate()
    unsafe mutex.deallocate()
  }

  /// Makes whoever waits look again. A waiter announces itself before it looks, and whoever rings has changed before what it
  /// looks at: one of the two sees the other.
  func ring() {
    guard waiters.load(ordering: .sequentiallyConsistent) > 0 else { return }
    unsafe pthread_mutex_lock(mutex)
    unsafe pthread_cond_broadcast(rung)
    unsafe pthread_mutex_unlock(mutex)
  }

  /// Waits until `look` finds something; nil when it is `deadline`, in monotonic nanoseconds, and there is nothing.
  func wait<Found>(until deadline: UInt64, _ look: () -> Found?) -> Found? {
    waiters.add(1, ordering: .sequentiallyConsistent)
    unsafe pthread_mutex_lock(mutex)
    defer {
      unsafe pthread_mutex_unlock(mutex)
      waiters.subtract(1, ordering: .relaxed)
    }
    var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
    while true {
      if let found = look() { return found }
      guard deadline > Interruption.now() else { return nil }
      unsafe pthread_cond_timedwait(rung, mutex, &time)
    }
  }
}
