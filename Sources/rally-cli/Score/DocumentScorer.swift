import Rally

/// Collects documents and scores them together, by one rater or several over the same tokens.
final class DocumentScorer {
  private let runners: [Runner]
  private let squashes: Bool
  private let windows: DocumentOptions
  private let progress = ProgressLine("scoring")
  /// Bytes of all files, 0 where one has no size, and those that were read.
  var byteCount = 0
  var readCount = 0
  private let start = now()
  private var documents: [Document] = []
  /// Of `documents`, and of all that were scored.
  private var waitingTokenCount = 0
  private var documentCount = 0
  private var tokenCount = 0

  /// Eight of the runner's steps: enough to keep its batches full, and few enough to see results soon.
  private static let batchTokenCount = 8 * Runner.defaultBatchTokenCount

  init(runners: [Runner], squashes: Bool, windows: DocumentOptions) {
    self.runners = runners
    self.squashes = squashes
    self.windows = windows
    for runner in runners {
      runner.progress = { [unowned self] done, _ in
        self.report(done: done)
        return !Interrupt.isRequested
      }
    }
  }

  /// Documents that have their scores already have no tokens; those are counted themselves.
  var isFull: Bool { max(waitingTokenCount, documents.count) >= Self.batchTokenCount }

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
    let scores = try rate(by: runner)
    for index in documents.indices {
      documents[index].scores.append(scores.mean[index])
      guard runner === runners[0] else { continue }
      documents[index].windowCount = scores.windowOffsets[index + 1] - scores.windowOffsets[index]
    }
  }

  private func rate(by runner: Runner) throws(CommandFailure) -> DocumentScores {
    let interruption = runner.interruption
    do throws(RallyError) {
      let plan = try runner.model.plan(RowBatch(documents.map(\.tokens)), options: windows)
      return try Interrupt.during(stop: { interruption.cancel() }) { () throws(RallyError) in
        try runner.rate(plan, squash: squashes)
      }
    } catch {
      progress.clear()
      throw CommandFailure(error)
    }
  }

  // MARK: Progress

  private func report(done: Int) {
    let total = tokenCount + done
    let share = byteCount > 0 ? min(Double(readCount) / Double(byteCount), 1) : nil
    let detail = "\(counted(documentCount, "document")), \(short(total)) tokens, \(rate(total)) tok/s\(timeLeft(share))"
    progress.update(share, detail)
  }

  /// Of what was read everything but the batch at hand is scored; both go at one pace.
  private func timeLeft(_ share: Double?) -> String {
    guard let share, share > 0, documentCount > 0 else { return "" }
    return ", \(duration((now() - start) * (1 - share) / share)) left"
  }

  private func rate(_ tokenCount: Int) -> String {
    let seconds = now() - start
    return seconds > 0 ? short(Int(Double(tokenCount) / seconds)) : "0"
  }

  /// For people, at the end.
  /// - Parameter kept: documents that were written; nil where all are.
  func statistics(kept: Int?, leftOut: Int) -> String {
    var parts = [counted(documentCount, "document")]
    if !runners.isEmpty { parts += ["\(short(tokenCount)) tokens", "\(rate(tokenCount)) tok/s"] }
    if let kept { parts.append("\(kept) kept") }
    if leftOut > 0 { parts.append("\(counted(leftOut, "line")) left out") }
    return parts.joined(separator: " · ")
  }
}
