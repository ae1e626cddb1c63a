import Execution
public import Files
import Kernels
import Models
import Scheduling
import Tensors

extension Engine {
  /// One step: who is through the block leaves and gets its next token, others enter, one pass of the block.
  ///
  /// - Parameters:
  ///   - onPromptToken: called with a request, the index of a prompt token and its depth, once that is known.
  ///   - onEvent: called with each generated token and the end of each request. May not call the engine's own
  ///     `step`; `submit` and `cancel` are fine.
  /// - Returns: whether any request has not finished.
  /// - Throws: `outOfMemory`: the requests keep their tokens and are computed again from the next step on.
  @discardableResult
  public func step(
    onPromptToken: ((_ request: Int, _ index: Int, _ depth: Int32) -> Void)? = nil,
    _ onEvent: (TokenEvent) -> EventReply
  ) throws(RallyError) -> Bool {
    takeLetters(onEvent)
    endExpired(onEvent)
    defer { publishCounters() }
    do throws(RallyError) {
      try MemoryBudget.during(budget) { () throws(RallyError) in
        try finishTokens(onPromptToken, onEvent)
        try startTokens()
        try passBlock()
      }
    } catch {
      forward.abandonAll()
      scheduler.startOver()
      throw error
    }
    return isBusy
  }

  /// Steps until nothing is left.
  public func run(_ onEvent: (TokenEvent) -> EventReply) throws(RallyError) {
    while isBusy { try step(onEvent) }
  }

  // MARK: Parts of a step

  /// What other threads asked for.
  private func takeLetters(_ onEvent: (TokenEvent) -> EventReply) {
    let letters = inbox.take()
    guard !letters.isEmpty else { return }
    for submission in letters.submissions {
      // Submitting has checked everything that can be wrong.
      guard
        let sequence = try? EngineSequence(submission, model: model, pages: pages, layout: forward.layout)
      else { preconditionFailure("a request that was checked") }
      sequences[submission.number] = sequence
      scheduler.submit(sequence.scheduled)
      tally.submittedCount += 1
    }
    let below = letters.cancelledBelow > 0 ? sequences.keys.filter { $0 < letters.cancelledBelow }.sorted() : []
    end(below + letters.cancellations, onEvent)
  }

  /// The last layers, the head and the next token for all that are through the block and whose turn it is.
  private func finishTokens(
    _ onPromptToken: ((Int, Int, Int32) -> Void)?, _ onEvent: (TokenEvent) -> EventReply
  ) throws(RallyError) {
    var start = forward.profile.start()
    leavers.removeAll(keepingCapacity: true)
    scheduler.takeLeavers(into: &leavers)
    guard !leavers.isEmpty else { return }
    let leavers = leavers
    forward.profile.add(.scheduling, since: start)
    try forward.workers.inOneTurn { () throws(RallyError) in
      try forward.leave { key in leavers.contains { $0.id == UInt64(key) } }
    }
    start = forward.profile.start()
    predicting.removeAll(keepingCapacity: true)
    for departure in forward.departures { take(departure, onPromptToken) }
    forward.profile.add(.scheduling, since: start)
    try predict()
    start = forward.profile.start()
    for sequence in predicting { report(sequence, onEvent) }
    forward.profile.add(.scheduling, since: start)
  }

  /// The first layers for all tokens that there is room for.
  private func startTokens() throws(RallyError) {
    let start = forward.profile.start()
    scheduler.admit(into: &admission)
    for request in admission.preempted { forward.abandon(key: Int(request.id)) }
    for copy in admission.copies { pages.copy(copy.from, to: copy.to) }
    step.removeAll()
    for scheduled in admission.entering {
      guard let sequence = sequences[Int(scheduled.id)] else { continue }
      let (cache, policy) = try sequence.prepare(pages: pages)
      step.append(scheduled.tokens[scheduled.piece], of: cache, key: sequence.number, policy: policy)
    }
    forward.profile.add(.scheduling, since: start)
    try forward.workers.inOneTurn { () throws(RallyError) in try forward.enter(step) }
  }

  /// One pass of the block, and who is through it.
  private func passBlock() throws(RallyError) {
    if forward.hasActive {
      tally.countPass(rows: forward.activeCount)
      try forward.workers.inOneTurn { () throws(RallyError) in try forward.advance() }
      scheduler.countPass()
    }
    for request in scheduler.running where request.state == .inBlock && forward.isThrough(key: Int(request.id)) {
      scheduler.leftBlock(request)
    }
  }

  // MARK: Tokens

  /// Books what one item brought, and lists it when its last token predicts the next.
  private func take(_ departure: ForwardPass.Departure, _ onPromptToken: ((Int, Int, Int32) -> Void)?) {
    guard let sequence = sequences[departure.key] else { return }
    let depths = forward.depths[departure.rows]
    let scheduled = sequence.scheduled
    tally.count(depths, isPrompt: scheduled.piece.lowerBound < scheduled.promptCount)
    scheduler.leftModel(scheduled, depths: depths)
    if let onPromptToken { reportPrompt(sequence, onPromptToken) }
    guard scheduled.predicts else { return }
    sequence.pick.depth = forward.depths[departure.rows.upperBound - 1]
    sequence.pick.row = Int32(departure.rows.upperBound - 1)
    predicting.append(sequence)
  }

  private func reportPrompt(_ sequence: EngineSequence, _ onPromptToken: (Int, Int, Int32) -> Void) {
    let known = min(sequence.scheduled.depths.count, sequence.scheduled.promptCount)
    while sequence.reportedPromptCount < known {
      let index = sequence.reportedPromptCount
      onPromptToken(sequence.number, index, Int32(sequence.scheduled.depths[index]))
      sequence.reportedPromptCount += 1
    }
  }

  /// Draws the next tokens of the sequences in `predicting`, a tile of the head at a time.
  private func predict() throws(RallyError) {
    for first in stride(from: 0, to: predicting.count, by: LanguageHead.tileRowCount) {
      let count = min(LanguageHead.tileRowCount, predicting.count - first)
      predictingRows.removeAll(keepingCapacity: true)
      for sequence in predicting[first..<first + count] { predictingRows.append(sequence.pick.row) }
      let logits = try forward.workers.inOneTurn { () throws(RallyError) in
        try head.logits(head.normalized(forward.hidden, at: predictingRows))
      }
      processLogits(first..<first + count, logits)
      let start = forward.profile.start()
      forward.workers.parallelFor(count, with: (self, logits, first)) { job, index, worker in
        let (engine, logits, first) = job
        engine.samplers[worker].draw(for: engine.predicting[first + index], logits.rows(index..<index + 1))
      }
      forward.profile.add(.sampling, since: start)
    }
  }

  /// Reports a drawn token, and goes on or ends.
  private func report(_ sequence: EngineSequence, _ onEvent: (TokenEvent) -> EventReply) {
    // A reply to an earlier event may have ended it.
    guard sequences[sequence.number] != nil else { return }
    let pick = sequence.pick
    if pick.isRefused { return end(sequence.number, onEvent) }
    if pick.isExhausted { return end(sequence.number, as: .stop, onEvent) }
    let stopString = sequence.take(pick.token)
    let reason = sequence.finishReason(
      after: pick.token, endTokens: model.info.endTokens, stopString: stopString)
    if reason != nil, stopString == nil { sequence.finishText(withToken: true) }
    let event = TokenEvent(
      request: sequence.number, index: sequence.scheduled.generatedCount, token: pick.token, depth: pick.depth,
      logProbability: pick.logProbability, topTokens: pick.top, finishReason: reason, stopString: stopString,
      textBytes: sequence.text?.piece ?? [], cutByteCount: sequence.text?.cutByteCount ?? 0,
      tag: sequence.request.tag)
    scheduler.append(pick.token, to: sequence.scheduled)
    tally.generatedCount += 1
    if reason != nil { close(sequence) }
    switch onEvent(event) {
    case .goOn: break
    case .endSequence: end(sequence.number, onEvent)
    case .endAll: for number in sequences.keys.sorted() { end(number, onEvent) }
    }
  }

  // MARK: Ending

  /// Requests whose own time is up.
  private func endExpired(_ onEvent: (TokenEvent) -> EventReply) {
    guard sequences.values.contains(where: { $0.deadline > 0 }) else { return }
    let now = Interruption.now()
    end(sequences.filter { $1.deadline > 0 && now >= $1.deadline }.keys.sorted(), as: .deadline, onEvent)
  }

  /// Ends requests in this order, in time linear in their number and in that of those that wait.
  private func end(_ numbers: [Int], as reason: FinishReason = .cancelled, _ onEvent: (TokenEvent) -> EventReply) {
    if numbers.count > 1 {
      let ids = Set(numbers.map(UInt64.init))
      scheduler.withdraw { ids.contains($0.id) }
    }
    for number in numbers { end(number, as: reason, onEvent) }
  }

  private func end(_ number: Int, as reason: FinishReason = .cancelled, _ onEvent: (TokenEvent) -> EventReply) {
    guard let sequence = sequences[number] else { return }
    forward.abandon(key: number)
    close(sequence)
    if reason == .cancelled { tally.cancelledCount += 1 }
    sequence.finishText(withToken: false)
    _ = onEvent(
      TokenEvent(
        request: number, index: sequence.scheduled.generatedCount, token: nil, depth: 0, logProbability: 0,
        finishReason: reason, textBytes: sequence.text?.piece ?? [], tag: sequence.request.tag))
  }

  private func close(_ sequence: EngineSequence) {
    sequences[sequence.number] = nil
    scheduler.finish(sequence.scheduled)
    tally.finishedCount += 1
    inbox.countFinished()
  }
}
