import Files

/// An engine's numbers as its last step left them, for any thread to read while the next one runs.
final class CounterBoard: Sendable {
  let names: [String]
  private let values: ForkSafe<[Double]>

  init(names: [String]) {
    self.names = names
    values = ForkSafe(Array(repeating: 0, count: names.count))
  }

  /// A copy that is made under the lock, so that the writer's array is never shared with a reader.
  func read() -> [Double] { values.withLock { values in values.map { $0 } } }

  /// Writes all values in the order of the names. Allocates nothing.
  func write(_ fill: (inout [Double]) -> Void) {
    values.withLock { values in
      values.removeAll(keepingCapacity: true)
      fill(&values)
      precondition(values.count == names.count, "a value for each name")
    }
  }
}
