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
  /// Text with its depths that was not shown yet, and all.
  private(set) var pieces: [Piece] = []
  private(set) var allPieces: [Piece] = []

  private let tokenizer: TextTokenizer
  /// Of tokens whose text is not complete.
  private var openDepths: [Int32] = []

  /// Whole characters, and the depths of the tokens that they are of.
  struct Piece {
    var text: [UInt8]
    var depths: [Int32]
  }

  init(prompt: Prompt, tokenizer: TextTokenizer) {
    self.prompt = prompt
    promptDepths = Array(repeating: 0, count: prompt.tokens.count)
    self.tokenizer = tokenizer
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

  mutating func append(_ event: TokenEvent) {
    if let token = event.token {
      tokens.append(token)
      depths.append(event.depth)
      logProbabilities.append(event.logProbability)
      openDepths.append(event.depth)
    }
    text += event.textBytes
    if !event.textBytes.isEmpty || event.finishReason != nil { endPiece(event.textBytes) }
    finishReason = event.finishReason
  }

  mutating func takePieces() -> [Piece] {
    defer { pieces.removeAll(keepingCapacity: true) }
    return pieces
  }

  private mutating func endPiece(_ text: [UInt8]) {
    guard !text.isEmpty || !openDepths.isEmpty else { return }
    pieces.append(Piece(text: text, depths: openDepths))
    allPieces.append(Piece(text: text, depths: openDepths))
    openDepths.removeAll(keepingCapacity: true)
  }
}
