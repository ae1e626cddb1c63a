import Rally

/// Collects documents and scores them together, by one rater or several over the same tokens.
final class DocumentScorer {
  private let runners: [Runner]
  private let squashes: Bool
  private let progress = ProgressLine("scoring")
  private let start = now()
  private var documents: [Document] = []
  /// Of `documents`, and of all that were scored.
  private var waitingTokenCount = 0
  private var documentCount = 0
  private var tokenCount = 0

  /// Eight of the runner's steps: enough to keep its batches full, and few enough to see results soon.
  private static let batchTokenCount = 8 * Runner.defaultBatchTokenCount

  init(runners: [Runner], squashes: Bool) {
    self.runners = runners
    self.squashes = squashes
    for runner in runners {
      runner.progress = { [unowned self] done, _ in
        self.report(done: done)
        return !Interrupt.isRequested
      }
    }
  }

  var isFull: Bool { waitingTokenCount >= Self.batchTokenCount }

  func add(_ document: Document) {
    documents.append(document)
    waitingTokenCount += document.tokens.count
  }

  /// - Returns: the documents since the last call, in order, with their scores.
  func flush() throws(CommandFailure) -> [Document] {
    guard !documents.isEmpty else { return [] }
    defer {
      documents = []
      waitingTokenCount = 0
    }
    for runner in runners { try score(by: runner) }
    progress.clear()
    documentCount += documents.count
    tokenCount += waitingTokenCount
    return documents
  }

  private func score(by runner: Runner) throws(CommandFailure) {
    let windows = documents.map { Self.windows(of: $0.tokens, length: runner.model.info.contextLength) }
    let scores = try rate(windows.flatMap(\.self), by: runner)
    var first = 0
    for index in documents.indices {
      let count = windows[index].count
      documents[index].scores.append(Self.mean(scores[first..<first + count], windows[index]))
      if runner === runners[0] { documents[index].windowCount = count }
      first += count
    }
  }

  private func rate(_ rows: [[Int32]], by runner: Runner) throws(CommandFailure) -> [Float] {
    let interruption = runner.interruption
    do throws(RallyError) {
      return try Interrupt.during(stop: { interruption.cancel() }) { () throws(RallyError) in
        try runner.rate(RowBatch(rows), squash: squashes)
      }
    } catch {
      progress.clear()
      throw CommandFailure(error)
    }
  }

  /// A document in rows that the rater can take, none longer than `length`; nothing is left out.
  static func windows(of tokens: [Int32], length: Int) -> [[Int32]] {
    stride(from: 0, to: tokens.count, by: length).map { Array(tokens[$0..<min($0 + length, tokens.count)]) }
  }

  private static func mean(_ scores: ArraySlice<Float>, _ windows: [[Int32]]) -> Float {
    // A document of one window has its very score.
    if scores.count == 1, let score = scores.first { return score }
    let sum = zip(scores, windows).reduce(0.0) { $0 + Double($1.0) * Double($1.1.count) }
    return Float(sum / Double(windows.reduce(0) { $0 + $1.count }))
  }

  // MARK: Progress

  private func report(done: Int) {
    let total = tokenCount + done
    progress.update(nil, "\(counted(documentCount, "document")), \(short(total)) tokens, \(rate(total)) tok/s")
  }

  private func rate(_ tokenCount: Int) -> String {
    let seconds = now() - start
    return seconds > 0 ? short(Int(Double(tokenCount) / seconds)) : "0"
  }

  /// For people, at the end.
  func statistics(leftOut: Int) -> String {
    let rest = leftOut > 0 ? " · \(counted(leftOut, "line")) left out" : ""
    return "\(counted(documentCount, "document")) · \(short(tokenCount)) tokens · \(rate(tokenCount)) tok/s\(rest)"
  }
}
