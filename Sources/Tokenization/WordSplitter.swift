/// Cuts text into the words that merges stay within, one word at a time.
///
/// Equal to the Hugging Face pre-tokenizers `ByteLevel(use_regex: true)` and, when digits are
/// isolated, `Sequence[Digits(individual_digits: true), ByteLevel]`, on every valid text. A byte that
/// is not part of valid UTF-8 counts as one symbol that is no space, letter or number.
struct WordSplitter: Sendable {
  private let classes = CharacterClassTable.shared
  let isolatesDigits: Bool

  /// One digit, or everything before the next digit, from `start` on. The expression looks at no
  /// symbol beyond its piece.
  ///
  /// - Returns: the end of the piece, beyond `start`.
  func pieceEnd(in text: Span<UInt8>, from start: Int) -> Int {
    guard isolatesDigits else { return text.count }
    let first = symbol(in: text, at: start)
    var position = start + first.byteCount
    guard !first.class.isDigit else { return position }
    while position < text.count {
      let next = symbol(in: text, at: position)
      guard !next.class.isDigit else { break }
      position += next.byteCount
    }
    return position
  }

  /// The word that starts at `start`: the first alternative of the expression that matches there.
  ///
  /// - Parameter piece: all that the expression may see.
  /// - Returns: the end of the word, beyond `start`. Each symbol is read at most twice per word, and
  ///   at most once more by the next.
  func wordEnd(in piece: Span<UInt8>, from start: Int) -> Int {
    if let end = contractionEnd(in: piece, from: start) { return end }
    let first = symbol(in: piece, at: start)
    var kind = first.class.kind
    var position = start + first.byteCount
    // ` ?\p{L}+` and its sisters: one space may lead a run of another kind.
    if piece[start] == 0x20, position < piece.count {
      let next = symbol(in: piece, at: position)
      if next.class.kind != .space {
        kind = next.class.kind
        position += next.byteCount
      }
    }
    return kind == .space
      ? spaceEnd(in: piece, from: start, first: first.byteCount)
      : runEnd(of: kind, in: piece, from: position)
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`
  private func contractionEnd(in piece: Span<UInt8>, from start: Int) -> Int? {
    guard piece[start] == UInt8(ascii: "'"), start + 1 < piece.count else { return nil }
    let third = start + 2 < piece.count ? piece[start + 2] : 0
    switch (piece[start + 1], third) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _):
      return start + 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    default: return nil
    }
  }

  private func runEnd(of kind: CharacterClass.Kind, in piece: Span<UInt8>, from start: Int) -> Int {
    var position = start
    while position < piece.count {
      let next = symbol(in: piece, at: position)
      guard next.class.kind == kind else { break }
      position += next.byteCount
    }
    return position
  }

  /// `\s+(?!\S)|\s+`: the run of spaces, without its last symbol when something follows, unless that
  /// symbol is all of it.
  private func spaceEnd(in piece: Span<UInt8>, from start: Int, first: Int) -> Int {
    var last = start
    var position = start + first
    while position < piece.count {
      let next = symbol(in: piece, at: position)
      guard next.class.kind == .space else { return last == start ? position : last }
      last = position
      position += next.byteCount
    }
    return position
  }

  private func symbol(in text: Span<UInt8>, at offset: Int) -> (class: CharacterClass, byteCount: Int) {
    let byte = text[offset]
    if byte < 0x80 { return (classes[ascii: byte], 1) }
    if case .scalar(let scalar, let byteCount) = text.symbol(at: offset) { return (classes[scalar], byteCount) }
    return (.other, 1)
  }
}
