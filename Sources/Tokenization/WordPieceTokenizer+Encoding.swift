public import Files

extension WordPieceTokenizer {
  /// The tokens of a text of any bytes.
  ///
  /// - Parameter text: at most `Int32.max` bytes; empty text has no tokens of its own.
  /// - Returns: `[T]` ids within the vocabulary.
  /// - Throws: `limitExceeded` for a longer text, which is to be cut at a line end;
  ///   `invalidArgument` when a beginning or end is asked for that the roles lack.
  /// - Complexity: linear in the text, times the longest entry at worst. Allocates the result and the normalised text.
  public func encode(
    _ text: Span<UInt8>, options: EncodingOptions = EncodingOptions()
  ) throws(RallyError) -> [Int32] {
    let (first, last) = try roles.frame(of: text, options)
    var tokens: [Int32] = []
    tokens.reserveCapacity(text.count / 4 + 2)
    if let first { tokens.append(first) }
    var start = 0
    while options.parsesSpecialTokens, let match = specialMatcher.firstMatch(in: text, from: start) {
      appendNormalized(text.extracting(start..<match.start), to: &tokens)
      tokens.append(match.token)
      start = match.end
    }
    appendNormalized(text.extracting(start..<text.count), to: &tokens)
    if let last { tokens.append(last) }
    return tokens
  }

  private func appendNormalized(_ text: Span<UInt8>, to tokens: inout [Int32]) {
    let plain = normalizer.normalize(text)
    var start = 0
    while let match = addedMatcher.firstMatch(in: plain.span, from: start) {
      appendWords(of: plain.span.extracting(start..<match.start), to: &tokens)
      tokens.append(match.token)
      start = match.end
    }
    appendWords(of: plain.span.extracting(start..<plain.count), to: &tokens)
  }

  /// Cuts normalised text at white space, which goes, and at punctuation, each mark of which is a word.
  private func appendWords(of text: Span<UInt8>, to tokens: inout [Int32]) {
    var word = Word(start: 0)
    var position = 0
    while position < text.count {
      let (kind, byteCount) = symbol(in: text, at: position)
      let end = position + byteCount
      if kind == .word {
        word.scalarCount += 1
      } else {
        append(word, end: position, of: text, to: &tokens)
        if kind == .punctuation { append(Word(start: position, scalarCount: 1), end: end, of: text, to: &tokens) }
        word = Word(start: end)
      }
      position = end
    }
    append(word, end: position, of: text, to: &tokens)
  }

  private struct Word {
    var start: Int
    var scalarCount = 0
  }

  private func append(_ word: Word, end: Int, of text: Span<UInt8>, to tokens: inout [Int32]) {
    guard word.scalarCount > 0 else { return }
    let isKnown =
      word.scalarCount <= rules.maximumWordLength
      && pieces.append(text.extracting(word.start..<end), to: &tokens)
    if !isKnown { tokens.append(rules.unknownToken) }
  }

  private func symbol(in text: Span<UInt8>, at position: Int) -> (kind: BertClass.Kind, byteCount: Int) {
    let byte = text[position]
    if byte < 0x80 { return (classes[ascii: byte].kind, 1) }
    // Normalised text is valid, and what is found in it is whole characters.
    guard case .scalar(let scalar, let byteCount) = text.symbol(at: position) else { return (.word, 1) }
    return (classes[scalar].kind, byteCount)
  }
}
