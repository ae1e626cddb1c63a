import Glibc
import Synchronization

/// One line on a terminal that says how far the work is; nothing where standard error is no terminal.
final class ProgressLine: Sendable {
  private struct State {
    var lastDrawing: Double
    var isDrawn = false
  }
  private let label: String
  private let state: Mutex<State>

  init(_ label: String) {
    self.label = label
    // What is done in half a second needs no bar.
    state = Mutex(State(lastDrawing: now() + 0.4))
  }

  /// Draws at most ten times a second.
  /// - Parameters:
  ///   - fraction: 0…1, or nil where the end is not known.
  ///   - detail: what follows the bar.
  func update(_ fraction: Double?, _ detail: @autoclosure () -> String) {
    guard StandardError.isTerminal else { return }
    state.withLock { state in
      let time = now()
      guard time - state.lastDrawing >= 0.1 else { return }
      state.lastDrawing = time
      state.isDrawn = true
      let bar = fraction.map { " \(Bar.text($0, width: 24)) \(decimal($0 * 100, 0).padded(to: 3, .right)) %" } ?? ""
      let line = "\(label)\(bar)  \(detail())".prefix(StandardError.width - 1)
      StandardError.write("\r\u{1B}[K\(line)")
    }
  }

  func clear() {
    state.withLock { state in
      if state.isDrawn { StandardError.write("\r\u{1B}[K") }
      state.isDrawn = false
    }
  }
}

/// A bar of block characters, which need no colour.
enum Bar {
  /// - Parameter fraction: of the width, held within 0…1.
  static func text(_ fraction: Double, width: Int) -> String {
    let eighths = Int((min(max(fraction, 0), 1) * Double(width * 8)).rounded())
    let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
    let bar = String(repeating: "█", count: eighths / 8) + parts[eighths % 8]
    return bar.padded(to: width, .left)
  }
}

/// Monotonic seconds.
func now() -> Double {
  var time = timespec()
  unsafe clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
