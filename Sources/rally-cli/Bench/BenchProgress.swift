import Rally

/// Says how far a test is.
struct BenchProgress {
  private let label: String
  private let repetitions: Int
  private let isAlwaysSaid: Bool
  private let line: ProgressLine

  init(_ test: BenchTest, _ info: ModelInfo, repetitions: Int, isAlwaysSaid: Bool) {
    label = "\(info.name) \(info.dataType) \(test.name), \(test.sequenceCount) together"
    self.repetitions = repetitions
    self.isAlwaysSaid = isAlwaysSaid
    line = ProgressLine(label)
  }

  /// - Parameter repetition: from 1; nil for the warm-up.
  func update(_ repetition: Int?) {
    let text = repetition.map { "run \($0) of \(repetitions)" } ?? "warm-up"
    if isAlwaysSaid { return StandardError.line("\(label): \(text)") }
    line.update(Double((repetition ?? 1) - 1) / Double(repetitions), text)
  }

  func clear() { line.clear() }
}

extension BenchResult {
  /// Where the time of all repetitions went, a part a line.
  func profileLines(_ style: Style) -> [String] {
    var table = Table([("\(test.name), \(test.sequenceCount) together", .left), ("seconds", .right), ("share", .right)])
    for (part, value) in secondsByPart {
      table.append([part, decimal(value, 4), "\(decimal(value / max(seconds, 1e-9) * 100, 1)) %"])
    }
    table.append(["all", decimal(seconds, 4), ""])
    var lines = table.lines(style)
    if work.passCount > 0 {
      lines.append("\(Int(work.passCount)) passes of the block, \(decimal(work.meanRowCount, 2)) rows each")
    }
    return lines
  }
}
