import Execution
import Kernels
import Tensors

/// The sequences of one call of `generate`, from their prompts to their last tokens.
///
/// One loop serves prompts and generated tokens alike: a step takes from each sequence, oldest first,
/// the tokens that its cache does not have yet, as many as the step has room for.
struct GenerationJob: ~Copyable {
  private struct Sequence {
    let request: Int
    let cache: SequenceCache
    let limit: Int
    let depth: Int32
    /// Tokens of the prompt that the cache has.
    var promptDone = 0
    var generated = 0
    /// The last generated token, which the cache does not have.
    var last: Int32 = 0
    var isFinished = false
  }
  /// A sequence's part in a step: rows `firstRow ..< firstRow + count`.
  private struct Share {
    var sequence: Int
    var firstRow: Int
    var count: Int
    /// Its last row predicts a token: nothing of the prompt is left.
    var predicts: Bool
  }

  private let requests: [GenerationRequest]
  private let forward: ForwardPass
  private let head: LanguageHead
  private let stepTokenCount: Int
  private let endOfSequence: Int32?
  private var sequences: [Sequence]
  private var shares: [Share] = []
  private var predicting: [Int] = []
  private var rows: [Int32] = []
  private var step: Step
  private var sampler: Sampler

  var isUnfinished: Bool { !sequences.isEmpty }

  /// Makes room for everything that the job will need.
  /// - Throws: `invalidArgument` that names the request; `outOfMemory`.
  init(_ requests: [GenerationRequest], runner: Runner, head: LanguageHead) throws(RallyError) {
    let info = runner.model.info
    var sequences: [Sequence] = []
    var promptCount = 0
    var pageCount = 0
    var longest = 0
    for (index, request) in requests.enumerated() {
      try request.check(index, vocabularySize: info.vocabularySize)
      let room = info.contextLength - request.tokens.count + 1
      let limit = min(request.maximumTokenCount ?? room, room)
      // The last generated token is reported and never computed.
      let length = request.tokens.count + limit - 1
      let cache = try runner.makeCache(tokenCount: length)
      let depth = try runner.depthLimit(request.maximumDepth)
      sequences.append(Sequence(request: index, cache: cache, limit: limit, depth: depth))
      promptCount += request.tokens.count
      pageCount += runner.forward.layout.pageCount(tokenCount: length)
      longest = max(longest, length)
    }
    let stepSize = min(runner.stepTokenCount, promptCount)
    try runner.forward.reserve(rowCount: stepSize, positionCount: longest)
    try head.reserve(rowCount: requests.count)
    try runner.pages.reserve(pageCount)
    let sampler = try Sampler(vocabularySize: info.vocabularySize)

    self.requests = requests
    self.head = head
    self.sequences = sequences
    self.sampler = sampler
    forward = runner.forward
    stepTokenCount = runner.stepTokenCount
    endOfSequence = info.endOfSequence
    step = Step(capacity: stepSize)
    shares.reserveCapacity(requests.count)
    predicting.reserveCapacity(requests.count)
    rows.reserveCapacity(LanguageHead.tileRowCount)
  }

  /// Computes the next tokens of all sequences that the step has room for.
  mutating func step(
    _ onPromptToken: ((Int, Int, Int32) -> Void)?, _ onToken: (TokenEvent) -> EventReply
  ) throws(RallyError) {
    gather()
    try forward.run(&step)
    reportPrompts(onPromptToken)
    try predict(onToken)
    sequences.removeAll { $0.isFinished }
  }

  /// Fills the step.
  private mutating func gather() {
    step.removeAll()
    shares.removeAll(keepingCapacity: true)
    for index in sequences.indices where step.tokenCount < stepTokenCount {
      let firstRow = step.tokenCount
      let prompt = requests[sequences[index].request].tokens
      let start = sequences[index].promptDone
      if start < prompt.count {
        let end = min(prompt.count, start + stepTokenCount - step.tokenCount)
        step.append(prompt[start..<end], of: sequences[index].cache, maximumDepth: sequences[index].depth)
        sequences[index].promptDone = end
      } else {
        step.append(
          CollectionOfOne(sequences[index].last), of: sequences[index].cache,
          maximumDepth: sequences[index].depth)
      }
      shares.append(
        Share(
          sequence: index, firstRow: firstRow, count: step.tokenCount - firstRow,
          predicts: sequences[index].promptDone == prompt.count))
    }
  }

  private func reportPrompts(_ onPromptToken: ((Int, Int, Int32) -> Void)?) {
    guard let onPromptToken else { return }
    for share in shares where sequences[share.sequence].generated == 0 {
      let sequence = sequences[share.sequence]
      for offset in 0..<share.count {
        onPromptToken(
          sequence.request, sequence.promptDone - share.count + offset,
          forward.depths[share.firstRow + offset])
      }
    }
  }

  // MARK: Predicting

  /// Samples the next token of every share that is due, a tile of the head at a time.
  private mutating func predict(_ onToken: (TokenEvent) -> EventReply) throws(RallyError) {
    predicting.removeAll(keepingCapacity: true)
    for index in shares.indices where shares[index].predicts { predicting.append(index) }
    var start = 0
    while start < predicting.count {
      let end = min(predicting.count, start + LanguageHead.tileRowCount)
      rows.removeAll(keepingCapacity: true)
      for index in predicting[start..<end] {
        rows.append(Int32(shares[index].firstRow + shares[index].count - 1))
      }
      let logits = try head.logits(head.normalized(forward.hidden, at: rows))
      for offset in 0..<end - start {
        take(logits.rows(offset..<offset + 1), of: shares[predicting[start + offset]], onToken)
      }
      start = end
    }
  }

  /// Samples one token, reports it, and ends the sequence where it must.
  private mutating func take(
    _ logits: FloatRows, of share: Share, _ onToken: (TokenEvent) -> EventReply
  ) {
    let sequence = sequences[share.sequence]
    guard !sequence.isFinished else { return }
    let request = requests[sequence.request]
    let token = Int32(
      unsafe sampler.token(
        from: logits.base, parameters: request.sampling, index: UInt64(sequence.generated)))
    let reason = finishReason(after: token, sequence, request)
    let reply = onToken(
      TokenEvent(
        request: sequence.request, index: sequence.generated, token: token,
        depth: forward.depths[share.firstRow + share.count - 1],
        logProbability: head.logProbability(logits, row: 0, of: token), finishReason: reason))
    sequences[share.sequence].last = token
    sequences[share.sequence].generated += 1
    if reason != nil { sequences[share.sequence].isFinished = true }
    switch reply {
    case .goOn: break
    case .endSequence: end(share.sequence, onToken)
    case .endAll: cancel(onToken)
    }
  }

  private func finishReason(
    after token: Int32, _ sequence: Sequence, _ request: GenerationRequest
  ) -> FinishReason? {
    if request.stopTokens.contains(token) { return .stop }
    if request.stopsAtEndOfSequence, token == endOfSequence { return .stop }
    guard sequence.generated + 1 == sequence.limit else { return nil }
    return sequence.limit == request.maximumTokenCount ? .limit : .contextFull
  }

  // MARK: Cancelling

  /// Ends every unfinished sequence.
  mutating func cancel(_ onToken: (TokenEvent) -> EventReply) {
    for index in sequences.indices { end(index, onToken) }
  }

  private mutating func end(_ index: Int, _ onToken: (TokenEvent) -> EventReply) {
    guard !sequences[index].isFinished else { return }
    sequences[index].isFinished = true
    _ = onToken(
      TokenEvent(
        request: sequences[index].request, index: sequences[index].generated, token: nil, depth: 0,
        logProbability: 0, finishReason: .cancelled))
  }
}

extension GenerationRequest {
  fileprivate func check(_ index: Int, vocabularySize: Int) throws(RallyError) {
    do throws(RallyError) {
      try sampling.validate()
    } catch {
      var named = error
      named.subject = "request \(index), \(error.subject)"
      throw named
    }
    if let count = maximumTokenCount, count < 1 {
      throw RallyError(
        .invalidArgument, "request \(index), max_tokens", expected: "at least 1, or 0 for no limit",
        found: "\(count)")
    }
    for token in stopTokens where token < 0 || Int(token) >= vocabularySize {
      throw RallyError(
        .invalidToken, "request \(index), stop_tokens", expected: "ids in [0, \(vocabularySize))",
        found: "\(token)")
    }
  }
}
