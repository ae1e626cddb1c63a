import Rally

/// What is known of one sequence: its tokens, and the text to be shown.
struct Transcript {
  let prompt: Prompt
  private(set) var promptDepths: [Int32]
  private(set) var tokens: [Int32] = []
  private(set) var depths: [Int32] = []
  private(set) var logProbabilities: [Float] = []
  private(set) var finishReason: FinishReason?
  /// The generated text, without a stop text.
  private(set) var text: [UInt8] = []
  /// Text with its depths that was not shown yet.
  private(set) var pieces: [Piece] = []

  private let tokenizer: TextTokenizer
  private var decoder: StreamDecoder
  private var matcher: StopMatcher
  /// Of tokens whose text is not complete.
  private var openDepths: [Int32] = []
  private var isStopped = false

  /// Whole characters, and the depths of the tokens that they are of.
  struct Piece {
    var text: [UInt8]
    var depths: [Int32]
  }

  init(prompt: Prompt, tokenizer: TextTokenizer, stopTexts: [String], skipsSpecialTokens: Bool) {
    self.prompt = prompt
    promptDepths = Array(repeating: 0, count: prompt.tokens.count)
    self.tokenizer = tokenizer
    decoder = StreamDecoder(tokenizer: tokenizer, skipsSpecialTokens: skipsSpecialTokens)
    matcher = StopMatcher(stopTexts)
  }

  mutating func setPromptDepth(_ depth: Int32, at index: Int) { promptDepths[index] = depth }

  /// The prompt as pieces. Its last token may leave a character for the first generated one to complete.
  func promptPieces() -> [Piece] {
    var decoder = StreamDecoder(tokenizer: tokenizer, skipsSpecialTokens: false)
    var pieces: [Piece] = []
    var depths: [Int32] = []
    for (token, depth) in zip(prompt.tokens, promptDepths) {
      depths.append(depth)
      // Every id came from this tokenizer.
      guard let text = try? decoder.push(token), !text.isEmpty else { continue }
      pieces.append(Piece(text: text, depths: depths))
      depths.removeAll()
    }
    if !depths.isEmpty { pieces.append(Piece(text: decoder.finish(), depths: depths)) }
    return pieces
  }

  /// - Returns: whether a stop text is complete.
  mutating func append(_ token: Int32, depth: Int32, logProbability: Float) throws(RallyError) -> Bool {
    tokens.append(token)
    depths.append(depth)
    logProbabilities.append(logProbability)
    let (passed, stops) = matcher.push(try decoder.push(token))
    text += passed
    show(passed, depth: depth)
    isStopped = stops
    return stops
  }

  mutating func finish(_ reason: FinishReason) {
    guard finishReason == nil else { return }
    finishReason = isStopped ? .stop : reason
    // An unfinished character is shown as such.
    let unfinished = isStopped || decoder.finish().isEmpty ? "" : "\u{FFFD}"
    let rest = matcher.finish() + Array(unfinished.utf8)
    text += rest
    endPiece(rest)
  }

  mutating func takePieces() -> [Piece] {
    defer { pieces.removeAll(keepingCapacity: true) }
    return pieces
  }

  private mutating func show(_ text: [UInt8], depth: Int32) {
    openDepths.append(depth)
    if !text.isEmpty { endPiece(text) }
  }

  private mutating func endPiece(_ text: [UInt8]) {
    guard !text.isEmpty || !openDepths.isEmpty else { return }
    pieces.append(Piece(text: text, depths: openDepths))
    openDepths.removeAll(keepingCapacity: true)
  }
}
