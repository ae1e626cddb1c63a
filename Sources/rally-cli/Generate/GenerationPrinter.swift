import Rally

/// Follows a generation and writes it: the first unfinished text as it grows, the others when their turn comes.
final class GenerationPrinter {
  struct Options {
    var echoesPrompt: Bool
    var showsDepth: Bool
    var json: Bool
  }

  private(set) var histogram: DepthHistogram
  private(set) var statistics: GenerationStatistics
  private(set) var transcripts: [Transcript]
  private let output: StandardOutput
  private let options: Options
  private let greatestDepth: Int
  /// The transcript that is being written, and whether its prompt was.
  private var current = 0
  private var hasShownPrompt = false
  private var lastByte: UInt8?
  private var failure: CommandFailure?

  init(prompts: [Prompt], model: Model, output: StandardOutput, options: Options) throws(CommandFailure) {
    let tokenizer = try model.requireTokenizer()
    transcripts = prompts.map { Transcript(prompt: $0, tokenizer: tokenizer) }
    greatestDepth = model.info.recursionCount
    histogram = DepthHistogram(greatestDepth: greatestDepth)
    statistics = GenerationStatistics(promptTokenCount: prompts.reduce(0) { $0 + $1.tokens.count })
    self.output = output
    self.options = options
    // Without depths the prompt is known: it is there before the first token.
    if !options.showsDepth { attempt { () throws(CommandFailure) in try showProgress() } }
  }

  // MARK: What the runner reports

  func promptToken(request: Int, index: Int, depth: Int32) {
    transcripts[request].setPromptDepth(depth, at: index)
    histogram.add(depth)
    statistics.promptTokenDone()
  }

  func token(_ event: TokenEvent) -> EventReply {
    if event.token != nil {
      // The depth of the first is that of the prompt's last token, which was counted.
      if event.index > 0 { histogram.add(event.depth) }
      statistics.tokenDone(isFirst: event.index == 0)
    }
    transcripts[event.request].append(event)
    attempt { () throws(CommandFailure) in try showProgress() }
    return failure != nil || Interrupt.isRequested ? .endAll : .goOn
  }

  /// Writes what is left.
  func finish() throws(CommandFailure) {
    if let failure { throw failure }
    try showProgress()
    if options.json {
      for transcript in transcripts { try output.write(transcript.json.text + [0x0A]) }
    }
    try output.flush()
  }

  /// The callbacks cannot throw: the first failure ends the generation.
  private func attempt(_ body: () throws(CommandFailure) -> Void) {
    guard failure == nil else { return }
    do throws(CommandFailure) { try body() } catch { failure = error }
  }

  // MARK: Writing

  private func showProgress() throws(CommandFailure) {
    guard !options.json else { return }
    while current < transcripts.count {
      let depthsAreKnown = !transcripts[current].tokens.isEmpty || transcripts[current].finishReason != nil
      if !hasShownPrompt && (depthsAreKnown || !options.showsDepth) { try showPrompt() }
      for piece in transcripts[current].takePieces() { try write(piece) }
      guard transcripts[current].finishReason != nil else { break }
      if lastByte != 0x0A { try output.write("\n") }
      current += 1
      hasShownPrompt = false
      lastByte = nil
    }
    try output.flush()
  }

  private func showPrompt() throws(CommandFailure) {
    hasShownPrompt = true
    if transcripts.count > 1 { try output.line(output.style.dim("--- \(current + 1) of \(transcripts.count) ---")) }
    guard options.echoesPrompt else { return }
    guard options.showsDepth else {
      lastByte = transcripts[current].prompt.text.last
      return try output.write(output.style.bold(String(decoding: transcripts[current].prompt.text, as: UTF8.self)))
    }
    for piece in transcripts[current].promptPieces() { try write(piece) }
  }

  private func write(_ piece: Transcript.Piece) throws(CommandFailure) {
    // Bytes that are no character become U+FFFD.
    let text = String(decoding: piece.text, as: UTF8.self)
    lastByte = text.utf8.last ?? lastByte
    guard options.showsDepth else { return try output.write(text) }
    if output.style.isColoured {
      let depth = piece.depths.max() ?? 0
      return try output.write(output.style.depth(Int(depth), of: greatestDepth, text))
    }
    let depths = piece.depths.map(String.init).joined(separator: ",")
    let mark = depths.isEmpty ? "" : "⟨\(depths)⟩"
    // A line end shows as ↵, with its depth before the line ends.
    let visible = text.replacing("\n", with: "↵")
    try output.write(text.hasSuffix("\n") ? "\(visible)\(mark)\n" : "\(visible)\(mark)")
  }
}
