/// How fast a generation went.
struct GenerationStatistics {
  private let start = now()
  private var promptEnd: Double
  private var end: Double
  private let promptTokenCount: Int
  private var tokenCount = 0
  /// Tokens that came with the prompts' own steps.
  private var firstTokenCount = 0

  init(promptTokenCount: Int) {
    self.promptTokenCount = promptTokenCount
    promptEnd = start
    end = start
  }

  mutating func promptTokenDone() { promptEnd = now() }

  mutating func tokenDone(isFirst: Bool) {
    tokenCount += 1
    if isFirst { firstTokenCount += 1 }
    end = now()
  }

  /// For people.
  func line(meanDepth: Double) -> String {
    let prompt = "prompt \(counted(promptTokenCount, "token"))\(rate(promptTokenCount, promptEnd - start))"
    let text = "generated \(counted(tokenCount, "token"))\(rate(tokenCount - firstTokenCount, end - promptEnd))"
    return "\(prompt) · \(text) · mean depth \(decimal(meanDepth, 2)) · \(decimal(end - start, 2)) s"
  }

  /// Nothing where there was no time to measure.
  private func rate(_ count: Int, _ seconds: Double) -> String {
    guard count > 0, seconds > 0 else { return "" }
    let rate = Double(count) / seconds
    return ", \(decimal(rate, rate < 100 ? 1 : 0)) tok/s"
  }
}
