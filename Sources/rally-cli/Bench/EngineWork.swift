import Execution
import Rally

/// What an engine has done, by its counters; the difference of two says what it did in between.
struct EngineWork {
  /// Tokens that left the model, by their depth from 0; empty for a rater.
  private(set) var tokensByDepth: [Double] = []
  private(set) var passCount = 0.0
  private(set) var passRowCount = 0.0
  private(set) var sharedTokenCount = 0.0
  /// The driver's time by part.
  private(set) var seconds: [(part: String, value: Double)] = []

  init(_ engine: Engine) {
    for counter in engine.counters {
      switch counter.name {
      case "passes_total": passCount = counter.value
      case "pass_rows_total": passRowCount = counter.value
      case "prompt_tokens_shared_total": sharedTokenCount = counter.value
      case let name where name.hasPrefix("tokens_depth_"): tokensByDepth.append(counter.value)
      case let name where name.hasPrefix("seconds_"):
        seconds.append((String(name.dropFirst("seconds_".count).dropLast("_total".count)), counter.value))
      default: break
      }
    }
  }

  init(_ runner: Runner) {
    seconds = Profile.Part.allCases.map { ("\($0)", runner.profile.seconds($0)) }
  }

  /// NaN where there is no depth.
  var meanDepth: Double {
    let sum = tokensByDepth.enumerated().reduce(0) { $0 + Double($1.offset) * $1.element }
    return sum / tokensByDepth.reduce(0, +)
  }

  /// Tokens that left after each recursion, as a part of all, from 1; empty where none did.
  var exitShares: [Double] {
    let sum = tokensByDepth.reduce(0, +)
    return sum > 0 ? tokensByDepth.dropFirst().map { $0 / sum } : []
  }

  /// Rows of one pass of the block.
  var meanRowCount: Double { passRowCount / passCount }

  static func - (one: EngineWork, other: EngineWork) -> EngineWork { one.merged(with: other, -) }
  static func + (one: EngineWork, other: EngineWork) -> EngineWork { one.merged(with: other, +) }

  private func merged(with other: EngineWork, _ merge: (Double, Double) -> Double) -> EngineWork {
    var result = self
    result.tokensByDepth = zip(tokensByDepth, other.tokensByDepth).map(merge)
    result.passCount = merge(passCount, other.passCount)
    result.passRowCount = merge(passRowCount, other.passRowCount)
    result.sharedTokenCount = merge(sharedTokenCount, other.sharedTokenCount)
    result.seconds = zip(seconds, other.seconds).map { ($0.part, merge($0.value, $1.value)) }
    return result
  }
}
