public import Files

extension PipelineTokenizer {
  /// The tokens of a text of any bytes.
  ///
  /// - Parameter text: at most `Int32.max` bytes; empty text has no tokens of its own.
  /// - Returns: `[T]` ids within the vocabulary.
  /// - Throws: `limitExceeded` for a longer text, which is to be cut at a line end;
  ///   `invalidArgument` when a beginning or end is asked for that the roles lack.
  /// - Complexity: linear in the text but for the model (see there) and runs of combining marks, which are sorted.
  ///   Allocates the result, the normalised text and the pieces.
  public func encode(
    _ text: Span<UInt8>, options: EncodingOptions = EncodingOptions()
  ) throws(RallyError) -> [Int32] {
    let (first, last) = try roles.frame(of: text, options)
    var tokens: [Int32] = []
    tokens.reserveCapacity(text.count / 3 + 2)
    if let first { tokens.append(first) }
    withScratch { scratch in
      rawTokens.forEachPart(of: text, parsesSpecial: options.parsesSpecialTokens) { part, token in
        if let token {
          tokens.append(token)
        } else {
          appendPart(of: text, part, options, &scratch, to: &tokens)
        }
      }
    }
    if let last { tokens.append(last) }
    return tokens
  }

  private func appendPart(
    of text: Span<UInt8>, _ part: Range<Int>, _ options: EncodingOptions, _ scratch: inout Scratch, to tokens: inout [Int32]
  ) {
    let plain = normalizer.normalize(Array(text.extracting(part)), &scratch.matcher)
    let isFirst = part.lowerBound == 0 && !plain.dropsStart
    normalizedTokens.forEachPart(of: plain.bytes.span, parsesSpecial: options.parsesSpecialTokens) { part, token in
      if let token {
        tokens.append(token)
      } else {
        let bytes = part.count == plain.bytes.count ? plain.bytes : Array(plain.bytes[part])
        appendPieces(
          PieceText(bytes, isFirst: isFirst && part.lowerBound == 0), hidesSpecial: !options.parsesSpecialTokens, &scratch,
          to: &tokens)
      }
    }
  }

  private func appendPieces(
    _ text: PieceText, hidesSpecial: Bool, _ scratch: inout Scratch, to tokens: inout [Int32]
  ) {
    var text = text
    for (index, step) in pipeline.preTokenizers.enumerated() {
      let isLast = index == pipeline.preTokenizers.count - 1
      text.apply(step, keepsBytes: keepsBytes && isLast, &scratch.matcher)
    }
    model.append(text.pieces, of: text.bytes.span, hidesSpecial: hidesSpecial, &scratch.model, to: &tokens)
  }
}
