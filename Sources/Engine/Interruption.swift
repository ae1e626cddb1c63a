package import Files
import Glibc
import Synchronization

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
  package var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

  /// Starts a call that may take `seconds`; 0 for any time.
  package func begin(timeout seconds: Double) {
    cancelled.store(false, ordering: .relaxed)
    deadline.store(Self.deadline(after: seconds), ordering: .relaxed)
  }

  /// - Throws: `cancelled` or `deadlineExceeded`.
  package func check() throws(RallyError) {
    if cancelled.load(ordering: .acquiring) {
      throw RallyError(.cancelled, "call", found: "cancelled")
    }
    let end = deadline.load(ordering: .relaxed)
    if end != 0 && Self.now() >= end {
      throw RallyError(.deadlineExceeded, "call", found: "timeout_seconds went by")
    }
  }

  /// Monotonic nanoseconds at which `seconds` are over; 0 for none.
  static func deadline(after seconds: Double) -> UInt64 {
    // A century is as good as no deadline and leaves room in 64 bits of nanoseconds.
    seconds > 0 ? now() &+ UInt64(min(seconds, 3e9) * 1e9) : 0
  }

  static func now() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
