import Glibc
import Synchronization
import Tensors

/// A way to stop a call from another thread, or when its time is up.
///
/// Looked at between steps, so a call ends within the time of one step.
public final class Interruption: Sendable {
  private let cancelled = Atomic<Bool>(false)
  /// Monotonic nanoseconds at which the call shall end; 0 without a deadline.
  private let deadline = Atomic<UInt64>(0)

  public init() {}

  /// Asks the call in progress to stop. Any thread.
  public func cancel() { cancelled.store(true, ordering: .releasing) }

  /// Whether the call in progress was asked to stop.
  var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

  /// Starts a call that may take `seconds`; 0 for any time.
  func begin(timeout seconds: Double) {
    cancelled.store(false, ordering: .relaxed)
    // A century is as good as no deadline and leaves room in 64 bits of nanoseconds.
    let bounded = min(seconds, 3e9)
    let end = seconds > 0 ? Self.now() &+ UInt64(bounded * 1e9) : 0
    deadline.store(end, ordering: .relaxed)
  }

  /// - Throws: `cancelled` or `deadlineExceeded`.
  func check() throws(RallyError) {
    if cancelled.load(ordering: .acquiring) {
      throw RallyError(.cancelled, "call", found: "cancelled")
    }
    let end = deadline.load(ordering: .relaxed)
    if end != 0 && Self.now() >= end {
      throw RallyError(.deadlineExceeded, "call", found: "timeout_seconds went by")
    }
  }

  private static func now() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
