/// Cuts added tokens out of a text, leftmost and longest, with the white space that they take.
struct AddedTokenFinder: Sendable {
  struct Entry: Sendable {
    var token: Int32
    /// What it is found by.
    var text: [UInt8]
    var flags: AddedTokenFlags
    var isSpecial: Bool
  }

  private let matcher: AddedTokenMatcher
  private let entries: [Entry]  // matches name their places

  init(_ entries: [Entry]) {
    self.entries = entries
    matcher = AddedTokenMatcher(entries.enumerated().map { ($0.element.text[...], Int32($0.offset)) })
  }

  /// Calls `body` for each part of the text in turn: an added token, or what lies between them, which is not empty.
  ///
  /// - Parameter parsesSpecial: else special tokens are text, and so is an added token within one.
  func forEachPart(
    of text: Span<UInt8>, parsesSpecial: Bool, _ body: (_ part: Range<Int>, _ token: Int32?) -> Void
  ) {
    var start = 0  // of what is not taken yet
    var position = 0
    var spaceEnd = 0  // of the white space read last: a token may itself be white space, and is not to read it all again
    while let match = matcher.firstMatch(in: text, from: position) {
      position = match.end
      let entry = entries[Int(match.token)]
      if entry.isSpecial, !parsesSpecial { continue }
      if entry.flags.contains(.isSingleWord), Self.isWord(text, around: match) { continue }
      var first = match.start
      var end = match.end
      // The token before may have taken this space, or the token itself, which then counts all the same.
      if entry.flags.contains(.stripsLeft) { first = max(WhiteSpace.start(in: text, before: first, downTo: start), start) }
      if entry.flags.contains(.stripsRight) {
        // Matches go on after the token, within the white space that it took.
        if end >= spaceEnd { spaceEnd = WhiteSpace.end(in: text, from: end) }
        end = spaceEnd
      }
      if start < first { body(start..<first, nil) }
      // As there: a token is left out whose place the white space of the one before has taken, where it strips to the left.
      if first < end { body(first..<end, entry.token) }
      start = end
    }
    if start < text.count { body(start..<text.count, nil) }
  }

  private static func isWord(_ text: Span<UInt8>, around match: AddedTokenMatcher.Match) -> Bool {
    let table = UnicodeTable.shared
    if match.end < text.count, case .scalar(let scalar, _) = text.symbol(at: match.end), table.unicodeClass(of: scalar).isWord {
      return true
    }
    guard match.start > 0 else { return false }
    var before = match.start - 1
    while before > max(0, match.start - 4), text[before] & 0xC0 == 0x80 { before -= 1 }
    guard case .scalar(let scalar, let byteCount) = text.symbol(at: before), before + byteCount == match.start else { return false }
    return table.unicodeClass(of: scalar).isWord
  }
}
