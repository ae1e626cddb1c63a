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
      if addsPrefixSpace { prepend([0x20], onlyFirst: false) }
      if usesExpression { cutWords() }
      if !keepsBytes { spell() }
    case .split(let pattern, let behavior, let isInverted): split(pattern, behavior, isInverted: isInverted, &matcher)
    case .digits(let areIndividual):
      let classes = CharacterClassTable.shared
      split(areIndividual ? .isolated : .contiguous) { classes[$0].isDigit }
    case .metaspace(let replacement, let scheme, let splits): markSpaces(replacement, scheme, splits: splits)
    case .whitespace: cutWordsAndSymbols()
    case .whitespaceSplit: split(.removed) { BertTable.shared[$0].kind == .space }
    case .punctuation(let behavior): split(behavior) { BertTable.shared[$0].kind == .punctuation }
    case .bert:
      split(.removed) { BertTable.shared[$0].kind == .space }
      split(.isolated) { BertTable.shared[$0].kind == .punctuation }
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
    cut { piece, text, found in
      let start = piece.lowerBound
      var parts = SplitParts(behavior)
      var last = 0
      pattern.forEachMatch(in: text.extracting(piece), &matcher) { match in
        if match.lowerBound != last { parts.append(start + last..<start + match.lowerBound, isMatch: isInverted) }
        parts.append(start + match.lowerBound..<start + match.upperBound, isMatch: !isInverted)
        last = match.upperBound
      }
      if last != piece.count { parts.append(start + last..<piece.upperBound, isMatch: isInverted) }
      parts.finish(into: &found)
    }
  }

  /// Cuts at every scalar of which `isMatch` holds; a byte that is part of none counts as U+FFFD.
  private mutating func split(_ behavior: SplitBehavior, _ isMatch: (UInt32) -> Bool) {
    cut { piece, text, found in
      var parts = SplitParts(behavior)
      var last = piece.lowerBound
      var position = last
      while position < piece.upperBound {
        let (scalar, byteCount) = text.scalar(at: position)
        if isMatch(scalar) {
          if last < position { parts.append(last..<position, isMatch: false) }
          parts.append(position..<position + byteCount, isMatch: true)
          last = position + byteCount
        }
        position += byteCount
      }
      if last < piece.upperBound { parts.append(last..<piece.upperBound, isMatch: false) }
      parts.finish(into: &found)
    }
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
    rewrite { byte, output in
      if byte == 0x20 { output += mark } else { output.append(byte) }
    }
    if scheme != .never { prepend(mark, onlyFirst: scheme == .first) }
    guard splits else { return }
    cut { piece, text, found in
      var start = piece.lowerBound
      for position in piece.dropFirst() where text[position] == mark[0] && text.holds(mark, at: position) {
        found.append(start..<position)
        start = position
      }
      found.append(start..<piece.upperBound)
    }
  }

  /// Puts `prefix` before pieces that do not begin with it.
  private mutating func prepend(_ prefix: [UInt8], onlyFirst: Bool) {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + pieces.count * prefix.count)
    for index in pieces.indices {
      let piece = pieces[index]
      let start = output.count
      if !bytes[piece].starts(with: prefix), !onlyFirst || (index == 0 && startsText) { output += prefix }
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

/// The parts of a piece, some of them matches, on their way to pieces.
private struct SplitParts {
  private let behavior: SplitBehavior
  private var parts: [(range: Range<Int>, isMatch: Bool)] = []

  init(_ behavior: SplitBehavior) { self.behavior = behavior }

  mutating func append(_ range: Range<Int>, isMatch: Bool) { parts.append((range, isMatch)) }

  func finish(into pieces: inout [Range<Int>]) {
    let start = pieces.count
    switch behavior {
    case .isolated: for part in parts { pieces.append(part.range) }
    case .removed: for part in parts where !part.isMatch { pieces.append(part.range) }
    case .contiguous: merge(into: &pieces) { isMatch, wasMatch in isMatch == wasMatch }
    case .mergedWithPrevious: merge(into: &pieces) { isMatch, wasMatch in isMatch && !wasMatch }
    case .mergedWithNext: mergeWithNext(into: &pieces)
    }
    if pieces[start...].contains(where: \.isEmpty) {
      let kept = pieces[start...].filter { !$0.isEmpty }
      pieces.replaceSubrange(start..., with: kept)
    }
  }

  /// Joins a part to the piece before where `joins` says so.
  private func merge(into pieces: inout [Range<Int>], _ joins: (Bool, Bool) -> Bool) {
    let start = pieces.count
    var wasMatch = false
    for part in parts {
      if pieces.count > start, joins(part.isMatch, wasMatch), let last = pieces.popLast() {
        pieces.append(last.lowerBound..<part.range.upperBound)
      } else {
        pieces.append(part.range)
      }
      wasMatch = part.isMatch
    }
  }

  private func mergeWithNext(into pieces: inout [Range<Int>]) {
    var found: [Range<Int>] = []
    var wasMatch = false
    for part in parts.reversed() {
      if part.isMatch, !wasMatch, let last = found.popLast() {
        found.append(part.range.lowerBound..<last.upperBound)
      } else {
        found.append(part.range)
      }
      wasMatch = part.isMatch
    }
    pieces += found.reversed()
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
