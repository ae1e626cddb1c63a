public import Files

extension BytePairTokenizer {
  /// The tokens of a text of any bytes.
  ///
  /// - Parameter text: at most `Int32.max` bytes; empty text has no tokens of its own.
  /// - Returns: `[T]` ids within the vocabulary.
  /// - Throws: `limitExceeded` for a longer text, which is to be cut at a line end;
  ///   `invalidArgument` when a beginning or end is asked for that the configuration lacks.
  /// - Complexity: O(n log n) in the longest word, else linear. Allocates the result, and scratch
  ///   memory that later calls use again.
  public func encode(
    _ text: Span<UInt8>, options: EncodingOptions = EncodingOptions()
  ) throws(RallyError) -> [Int32] {
    let (first, last) = try configuration.roles.frame(of: text, options)
    var tokens: [Int32] = []
    tokens.reserveCapacity(text.count / 3 + 2)
    if let first { tokens.append(first) }
    withEncoder { encoder in
      if options.parsesSpecialTokens {
        appendSpecialTokens(of: text, with: &encoder, to: &tokens)
      } else {
        appendAddedTokens(of: text, with: &encoder, to: &tokens)
      }
    }
    if let last { tokens.append(last) }
    return tokens
  }

  public func encode(
    _ text: [UInt8], options: EncodingOptions = EncodingOptions()
  ) throws(RallyError) -> [Int32] {
    try encode(text.span, options: options)
  }

  public func encode(
    _ text: String, options: EncodingOptions = EncodingOptions()
  ) throws(RallyError) -> [Int32] {
    try encode(text.utf8.span, options: options)
  }
}

extension BytePairTokenizer {
  private func appendSpecialTokens(of text: Span<UInt8>, with encoder: inout WordEncoder, to tokens: inout [Int32]) {
    var start = 0
    while let match = specialMatcher.firstMatch(in: text, from: start) {
      appendAddedTokens(of: text.extracting(start..<match.start), with: &encoder, to: &tokens)
      tokens.append(match.token)
      start = match.end
    }
    appendAddedTokens(of: text.extracting(start..<text.count), with: &encoder, to: &tokens)
  }

  private func appendAddedTokens(of text: Span<UInt8>, with encoder: inout WordEncoder, to tokens: inout [Int32]) {
    var start = 0
    while let match = addedMatcher.firstMatch(in: text, from: start) {
      appendPieces(of: text.extracting(start..<match.start), with: &encoder, to: &tokens)
      tokens.append(match.token)
      start = match.end
    }
    appendPieces(of: text.extracting(start..<text.count), with: &encoder, to: &tokens)
  }

  private func appendPieces(of text: Span<UInt8>, with encoder: inout WordEncoder, to tokens: inout [Int32]) {
    var start = 0
    while start < text.count {
      let end = splitter.pieceEnd(in: text, from: start)
      if configuration.addsPrefixSpace, text[start] != 0x20 {
        var piece: [UInt8] = [0x20]
        for index in start..<end { piece.append(text[index]) }
        appendWords(of: piece.span, with: &encoder, to: &tokens)
      } else {
        appendWords(of: text.extracting(start..<end), with: &encoder, to: &tokens)
      }
      start = end
    }
  }

  private func appendWords(of piece: Span<UInt8>, with encoder: inout WordEncoder, to tokens: inout [Int32]) {
    var start = 0
    while start < piece.count {
      let end = splitter.wordEnd(in: piece, from: start)
      encoder.append(piece.extracting(start..<end), rules: rules, to: &tokens)
      start = end
    }
  }
}
