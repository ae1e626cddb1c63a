import CHost
public import Files
import Synchronization

/// A limit on what storages hold together, and how much of it they hold.
///
/// `AlignedStorage` takes its bytes from the budget of the call in which it is made, and gives them back at its end, wherever
/// that is. So a budget counts what there is at any time, whoever made it.
public final class MemoryBudget: Sendable {
  /// Bytes.
  public let limit: Int
  /// Which this one is a part of: what is taken here is taken there as well.
  private let whole: MemoryBudget?
  private let held = Atomic<Int>(0)

  public init(limit: Int, within whole: MemoryBudget? = nil) {
    self.limit = max(limit, 0)
    self.whole = whole
  }

  /// A budget of its own, for a limit of 0 the whole it would be a part of; nil for no limit.
  package static func limited(to byteCount: Int, within whole: MemoryBudget? = nil) -> MemoryBudget? {
    byteCount > 0 ? MemoryBudget(limit: byteCount, within: whole) : whole
  }

  /// Bytes that storages hold.
  public var heldByteCount: Int { held.load(ordering: .relaxed) }

  /// Bytes that may be taken besides.
  public var remainingByteCount: Int { min(limit - heldByteCount, whole?.remainingByteCount ?? .max) }

  /// - Throws: `outOfMemory` beyond the limit; nothing is taken then.
  public func take(_ byteCount: Int) throws(RallyError) {
    var current = held.load(ordering: .relaxed)
    while true {
      guard byteCount <= limit - current else {
        throw RallyError(
          .outOfMemory, "memory", expected: "at most \(limit) bytes, as max_memory_bytes says",
          found: "\(current) held and \(byteCount) more needed",
          remedy: "raise it, or give fewer tokens at once or a smaller cache")
      }
      let (taken, found) = held.weakCompareExchange(expected: current, desired: current + byteCount, ordering: .relaxed)
      if taken { break }
      current = found
    }
    do throws(RallyError) {
      try whole?.take(byteCount)
    } catch {
      held.subtract(byteCount, ordering: .relaxed)
      throw error
    }
  }

  /// Takes back what was taken.
  public func give(_ byteCount: Int) {
    held.subtract(byteCount, ordering: .relaxed)
    whole?.give(byteCount)
  }
}

// MARK: The budget of a call

extension MemoryBudget {
  /// Of the call in progress on this thread; nil without a limit.
  package static var current: MemoryBudget? {
    guard let address = unsafe rh_budget() else { return nil }
    return unsafe Unmanaged<MemoryBudget>.fromOpaque(address).takeUnretainedValue()
  }

  /// Makes a call whose storages, of this thread, count against `budget`; nil for no limit. Calls nest.
  /// - Throws: `outOfMemory`, and what the call throws.
  package static func during<Result>(
    _ budget: MemoryBudget?, _ body: () throws(RallyError) -> Result
  ) throws(RallyError) -> Result {
    let outer = unsafe rh_budget()
    guard unsafe rh_set_budget(budget.map { unsafe UnsafeRawPointer(Unmanaged.passUnretained($0).toOpaque()) }) else {
      throw RallyError(.outOfMemory, "memory", expected: "a place for the limit of this call", found: "none")
    }
    defer { _ = unsafe rh_set_budget(outer) }
    let result = Swift.Result { () throws(RallyError) in try body() }
    withExtendedLifetime(budget) {}
    return try result.get()
  }
}

/// Bytes of the budget of the call in progress that are no storage's, held as long as this lives.
package final class MemoryShare: Sendable {
  private let budget: MemoryBudget?
  private let byteCount: Int

  /// - Throws: `outOfMemory`.
  package init(byteCount: Int) throws(RallyError) {
    budget = MemoryBudget.current
    self.byteCount = byteCount
    try budget?.take(byteCount)
  }

  deinit { budget?.give(byteCount) }
}
