import JSON
import Rally

/// Collects documents and scores them together, by one rater or several over the same tokens.
final class DocumentScorer {
  private let runners: [Runner]
  /// What is put after the names of the members that each of them adds.
  private let names: [String]
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

  init(runners: [Runner], names: [String], squashes: Bool, windows: DocumentOptions) {
    self.runners = runners
    self.names = names
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
    for (runner, name) in zip(runners, names) { try score(by: runner, name) }
    progress.clear()
    documentCount += documents.count
    tokenCount += waitingTokenCount
    return documents
  }

  private func score(by runner: Runner, _ name: String) throws(CommandFailure) {
    let scores = try rate(by: runner)
    let hasScore = runner.model.info.scoreRule?.makesScore == true
    for index in documents.indices {
      documents[index].scores.append(hasScore ? scores.score[index] : nil)
      if let score = runner.model.integerScore(scores.score[index]) {
        documents[index].details.append(("int_score\(name)", .integer(score)))
      }
      documents[index].details += outputs(of: runner.model.info, scores, document: index, name)
      guard runner === runners[0] else { continue }
      documents[index].windowCount = scores.windowOffsets[index + 1] - scores.windowOffsets[index]
    }
  }

  /// The label of the greatest output and all of them; nothing of a rater that has one.
  private func outputs(
    of info: ModelInfo, _ scores: DocumentScores, document: Int, _ name: String
  ) -> [(key: String, value: JSONValue)] {
    let count = info.labels.count
    guard count > 1 else { return [] }
    let values = scores.outputs[document * count..<(document + 1) * count]
    let best = values.indices.reduce(values.startIndex) { values[$1] > values[$0] ? $1 : $0 } - values.startIndex
    let prefix = info.hasProbabilities ? "p_" : "logit_"
    return [("label\(name)", .string(info.labels[best]))]
      + zip(info.labels, values).map { ("\(prefix)\($0)\(name)", .float($1)) }
  }

  private func rate(by runner: Runner) throws(CommandFailure) -> DocumentScores {
    let interruption = runner.interruption
    do throws(RallyError) {
      let plan = try runner.model.plan(RowBatch(documents.map(\.tokens)), options: windows)
      return try Interrupt.during(stop: { interruption.cancel() }) { () throws(RallyError) in
        try runner.rate(plan, squash: squashes, outputs: runner.model.info.labels.count > 1)
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
