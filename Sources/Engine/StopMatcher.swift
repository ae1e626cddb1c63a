/// Looks for texts in bytes that arrive one by one.
///
/// Source: Knuth, Morris, Pratt 1977. A byte costs a step per text, however the texts repeat themselves.
struct StopMatcher {
  private let texts: [[UInt8]]
  /// Of each text and each of its lengths n ≥ 1, at n − 1: how long its longest beginning is that its first n bytes end with,
  /// and that is shorter than n.
  private let borders: [[Int]]
  /// Of each text, how much of its beginning the bytes so far end with.
  private var matched: [Int]

  init(_ texts: [String]) {
    self.texts = texts.map { Array($0.utf8) }
    borders = self.texts.map(Self.borders)
    matched = Array(repeating: 0, count: texts.count)
  }

  /// Bytes so far, from the end, that may become a text.
  var heldByteCount: Int { matched.max() ?? 0 }

  func byteCount(of text: Int) -> Int { texts[text].count }

  /// - Returns: the text that this byte completes; of several the longest, of equals the first.
  mutating func push(_ byte: UInt8) -> Int? {
    var found: Int?
    for index in texts.indices {
      matched[index] = next(index, byte)
      guard matched[index] == texts[index].count else { continue }
      if let best = found, texts[best].count >= texts[index].count { continue }
      found = index
    }
    return found
  }

  /// Forgets the bytes so far.
  mutating func reset() {
    for index in matched.indices { matched[index] = 0 }
  }

  private func next(_ index: Int, _ byte: UInt8) -> Int {
    var count = matched[index]
    if count == texts[index].count { count = borders[index][count - 1] }
    while count > 0, texts[index][count] != byte { count = borders[index][count - 1] }
    return texts[index][count] == byte ? count + 1 : 0
  }

  private static func borders(of text: [UInt8]) -> [Int] {
    var borders = Array(repeating: 0, count: text.count)
    var count = 0
    for end in text.indices.dropFirst() {
      while count > 0, text[count] != text[end] { count = borders[count - 1] }
      if text[count] == text[end] { count += 1 }
      borders[end] = count
    }
    return borders
  }
}
