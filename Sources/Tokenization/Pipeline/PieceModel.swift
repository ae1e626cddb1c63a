import Files

/// What makes tokens of a piece of text.
enum PieceModel: Sendable {
  case bytePair(BytePairModel)
  case unigram(UnigramModel)
  case wordPiece(WordPieceModel)

  /// Scratch memory and a cache of words; it belongs to one tokenizer and one call at a time.
  struct Scratch {
    var words = WordEncoder()
    fileprivate var unigram = UnigramModel.Scratch()

    mutating func trim() {
      words.trim()
      unigram.trim()
    }
  }

  /// Appends the tokens of pieces of a text in turn.
  ///
  /// - Parameter hidesSpecial: the model makes no special tokens.
  func append(
    _ pieces: [Range<Int>], of text: Span<UInt8>, hidesSpecial: Bool, _ scratch: inout Scratch, to tokens: inout [Int32]
  ) {
    // Which model it is is asked once for all pieces: taking it out of the case costs as much as a word that is known.
    switch self {
    case .bytePair(let model):
      model.append(pieces, of: text, hidesSpecial: hidesSpecial, &scratch.words.cache, &scratch.words.merger, to: &tokens)
    case .unigram(let model):
      model.append(pieces, of: text, hidesSpecial: hidesSpecial, &scratch.words.cache, &scratch.unigram, to: &tokens)
    case .wordPiece(let model):
      model.append(pieces, of: text, hidesSpecial: hidesSpecial, &scratch.words.cache, to: &tokens)
    }
  }
}
