/// A text that is being cut: its bytes, and the pieces of it, in order and none empty.
struct PieceText {
  var bytes: [UInt8]
  private(set) var pieces: [Range<Int>]
  /// Whether the first piece begins where the whole text does.
  private var startsText: Bool
  private var spare: [Range<Int>] = []

  init(_ bytes: [UInt8], isFirst: Bool) {
    self.bytes = bytes
    startsText = isFirst
    pieces = bytes.isEmpty ? [] : [0..<bytes.count]
  }

  /// - Parameter keepsBytes: the model reads bytes, so those of the last step need not be spelled.
  mutating func apply(_ step: PreTokenizerStep, keepsBytes: Bool, _ matcher: inout ExpressionMatcher) {
    switch step {
    case .byteLevel(let addsPrefixSpace, let usesExpression):
      if addsPrefixSpace { prepend([0x20]) }
      if usesExpression { cutWords() }
      if !keepsBytes { spell() }
    case .split(let pattern, let behavior, let isInverted): split(pattern, behavior, isInverted: isInverted, &matcher)
    case .digits(let areIndividual):
      let classes = CharacterClassTable.shared
      split(areIndividual ? .isolated : .contiguous) { classes[$0].isDigit }
    case .metaspace(let replacement, let scheme, let splits): markSpaces(replacement, scheme, splits: splits)
    case .whitespace: cutWordsAndSymbols()
    case .whitespaceSplit: split(.removed, at: .space)
    case .punctuation(let behavior): split(behavior, at: .punctuation)
    case .bert:
      split(.removed, at: .space)
      split(.isolated, at: .punctuation)
    }
  }

  /// Replaces every piece by those that `body` appends.
  private mutating func cut(_ body: (Range<Int>, Span<UInt8>, inout [Range<Int>]) -> Void) {
    var found = spare
    spare = []
    found.removeAll(keepingCapacity: true)
    for piece in pieces { body(piece, bytes.span, &found) }
    startsText = startsText && pieces.first?.lowerBound == found.first?.lowerBound
    spare = pieces
    pieces = found
  }
}

// MARK: Cutting

extension PieceText {
  private mutating func cutWords() {
    let splitter = WordSplitter(isolatesDigits: false)
    cut { piece, text, found in
      let own = text.extracting(piece)
      var start = 0
      while start < own.count {
        let end = splitter.wordEnd(in: own, from: start)
        found.append(piece.lowerBound + start..<piece.lowerBound + end)
        start = end
      }
    }
  }

  private mutating func split(
    _ pattern: TextPattern, _ behavior: SplitBehavior, isInverted: Bool, _ matcher: inout ExpressionMatcher
  ) {
    switch pattern {
    case .text(let wanted):
      let wanted = Array(wanted.utf8)
      split(behavior, isInverted: isInverted) { TextPattern.forEach(wanted, in: $0, $1) }
    case .expression(let pattern):
      let expression = pattern.expression
      // Taken out once for all pieces, of which there may be one for each word.
      if let automaton = expression.automaton {
        split(behavior, isInverted: isInverted) { matcher.forEachMatch(of: expression, automaton, in: $0, $1) }
      } else {
        split(behavior, isInverted: isInverted) { matcher.forEachMatchGoingBack(of: expression, in: $0, $1) }
      }
    }
  }

  @inline(__always)
  private mutating func split(
    _ behavior: SplitBehavior, isInverted: Bool, _ forEachMatch: (Span<UInt8>, (Range<Int>) -> Void) -> Void
  ) {
    cut { piece, text, found in
      let start = piece.lowerBound
      var parts = SplitParts(behavior, after: found)
      var last = 0
      forEachMatch(text.extracting(piece)) { match in
        if match.lowerBound != last { parts.append(start + last..<start + match.lowerBound, isMatch: isInverted, to: &found) }
        parts.append(start + match.lowerBound..<start + match.upperBound, isMatch: !isInverted, to: &found)
        last = match.upperBound
      }
      if last != piece.count { parts.append(start + last..<piece.upperBound, isMatch: isInverted, to: &found) }
      parts.finish(&found)
    }
  }

  /// Cuts at every scalar of which `isMatch` holds; a byte that is part of none counts as U+FFFD.
  @inline(__always)
  private mutating func split(_ behavior: SplitBehavior, _ isMatch: (UInt32) -> Bool) {
    cut { piece, text, found in
      var parts = SplitParts(behavior, after: found)
      var last = piece.lowerBound
      var position = last
      while position < piece.upperBound {
        let (scalar, byteCount) = text.scalar(at: position)
        if isMatch(scalar) {
          if last < position { parts.append(last..<position, isMatch: false, to: &found) }
          parts.append(position..<position + byteCount, isMatch: true, to: &found)
          last = position + byteCount
        }
        position += byteCount
      }
      if last < piece.upperBound { parts.append(last..<piece.upperBound, isMatch: false, to: &found) }
      parts.finish(&found)
    }
  }

  private mutating func split(_ behavior: SplitBehavior, at kind: BertClass.Kind) {
    let table = BertTable.shared
    split(behavior) { table[$0].kind == kind }
  }

  /// Runs of word characters, and runs of what is neither that nor space.
  private mutating func cutWordsAndSymbols() {
    cut { piece, text, found in
      var position = piece.lowerBound
      var start = position
      var kind = 0
      while position <= piece.upperBound {
        var (next, byteCount) = (0, 1)
        if position < piece.upperBound {
          let (scalar, count) = text.scalar(at: position)
          byteCount = count
          if UnicodeTable.shared.unicodeClass(of: scalar).isWord {
            next = 1
          } else if BertTable.shared[scalar].kind != .space {
            next = 2
          }
        }
        if next != kind {
          if kind != 0 { found.append(start..<position) }
          start = position
          kind = next
        }
        position += byteCount
      }
    }
  }
}

// MARK: Rewriting

extension PieceText {
  private mutating func markSpaces(_ replacement: Unicode.Scalar, _ scheme: PrependScheme, splits: Bool) {
    let mark = Array(String(replacement).utf8)
    let text = bytes
    var output: [UInt8] = []
    output.reserveCapacity(text.count + text.count / 2)
    for index in pieces.indices {
      let piece = text.span.extracting(pieces[index])
      let start = output.count
      let mayBeFirst = scheme == .always || (scheme == .first && index == 0 && startsText)
      if mayBeFirst, piece[0] != 0x20, !piece.holds(mark, at: 0) { output += mark }
      output.append(piece, replacing: 0x20, by: mark)
      pieces[index] = start..<output.count
    }
    bytes = output
    if splits { cut(before: mark) }
  }

  private mutating func cut(before mark: [UInt8]) {
    let first = mark[0]
    cut { piece, text, found in
      var start = piece.lowerBound
      for position in start + 1..<piece.upperBound where text[position] == first && text.holds(mark, at: position) {
        found.append(start..<position)
        start = position
      }
      found.append(start..<piece.upperBound)
    }
  }

  /// Puts `prefix` before pieces that do not begin with it.
  private mutating func prepend(_ prefix: [UInt8]) {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + pieces.count * prefix.count)
    for index in pieces.indices {
      let piece = pieces[index]
      let start = output.count
      if !bytes[piece].starts(with: prefix) { output += prefix }
      output += bytes[piece]
      pieces[index] = start..<output.count
    }
    bytes = output
  }

  /// Bytes become the characters of GPT-2's alphabet.
  private mutating func spell() {
    rewrite { byte, output in output.append(scalar: ByteAlphabet.scalars[Int(byte)].value) }
  }

  private mutating func rewrite(_ body: (UInt8, inout [UInt8]) -> Void) {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + bytes.count / 2)
    for index in pieces.indices {
      let start = output.count
      for position in pieces[index] { body(bytes[position], &output) }
      pieces[index] = start..<output.count
    }
    bytes = output
  }
}

extension Span<UInt8> {
  /// The scalar at `position`, or U+FFFD for a byte that is part of none.
  func scalar(at position: Int) -> (scalar: UInt32, byteCount: Int) {
    if self[position] < 0x80 { return (UInt32(self[position]), 1) }
    if case .scalar(let scalar, let byteCount) = symbol(at: position) { return (scalar, byteCount) }
    return (0xFFFD, 1)
  }

  /// Whether `wanted` stands at `position`.
  func holds(_ wanted: [UInt8], at position: Int) -> Bool {
    guard position + wanted.count <= count else { return false }
    for index in wanted.indices where self[position + index] != wanted[index] { return false }
    return true
  }
}
