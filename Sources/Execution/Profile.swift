import Glibc

/// Seconds by part of the work, on the driver's clock.
package final class Profile {
  package enum Part: Int, CaseIterable, Sendable {
    /// Matrix products, with what becomes of rows on the way there where products convert them.
    case products
    case attention
    /// Norms, rotations, activations, sums, moves.
    case elementwise
    case routing
    /// The product of the head.
    case head
    case sampling
    case scheduling
  }

  private var nanoseconds = InlineArray<7, UInt64>(repeating: 0)

  package init() {}

  package func start() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  package func add(_ part: Part, since start: UInt64) {
    nanoseconds[part.rawValue] &+= self.start() &- start
  }

  package func seconds(_ part: Part) -> Double { Double(nanoseconds[part.rawValue]) * 1e-9 }
}
