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

  /// - Parameter hidesSpecial: the model makes no special tokens.
  func append(_ piece: Span<UInt8>, hidesSpecial: Bool, _ scratch: inout Scratch, to tokens: inout [Int32]) {
    switch self {
    case .bytePair(let model): model.append(piece, hidesSpecial: hidesSpecial, &scratch.words, to: &tokens)
    case .unigram(let model):
      // The encoder's cache cannot be in use while the search is: it is lent.
      var search = UnigramModel.Scratch()
      swap(&search, &scratch.unigram)
      scratch.words.append(piece, variant: hidesSpecial, to: &tokens) { _, tokens in
        model.append(piece, hidesSpecial: hidesSpecial, &search, to: &tokens)
      }
      swap(&search, &scratch.unigram)
    case .wordPiece(let model):
      scratch.words.append(piece, variant: hidesSpecial, to: &tokens) { _, tokens in
        model.append(piece, hidesSpecial: hidesSpecial, to: &tokens)
      }
    }
  }
}
