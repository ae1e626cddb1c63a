import Synchronization

/// An engine's numbers as its last step left them, for any thread to read while the next one runs.
final class CounterBoard: Sendable {
  let names: [String]
  private let values: Mutex<[Double]>

  init(names: [String]) {
    self.names = names
    values = Mutex(Array(repeating: 0, count: names.count))
  }

  func read() -> [Double] { values.withLock { $0 } }

  /// Writes all values in the order of the names. Allocates nothing, unless something has just read them.
  func write(_ fill: (inout [Double]) -> Void) {
    values.withLock { values in
      values.removeAll(keepingCapacity: true)
      fill(&values)
      precondition(values.count == names.count, "a value for each name")
    }
  }
}
