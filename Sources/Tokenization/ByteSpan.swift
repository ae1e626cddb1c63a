/// Reading several bytes at once, checked as a whole.
extension Span<UInt8> {
  /// Eight bytes from `start` on, the first in the lowest bits.
  @inline(__always)
  func eightBytes(at start: Int) -> UInt64 {
    // Of a part with a known length each byte needs no check of its own: this is one load.
    let part = extracting(start..<start + 8)
    var bits: UInt64 = 0
    for index in 0..<8 { bits |= UInt64(part[index]) << UInt64(8 * index) }
    return bits
  }

  @inline(__always)
  private func fourBytes(at start: Int) -> UInt64 {
    let part = extracting(start..<start + 4)
    var bits: UInt64 = 0
    for index in 0..<4 { bits |= UInt64(part[index]) << UInt64(8 * index) }
    return bits
  }

  /// Up to eight bytes from `start` on, and zeros where the span has ended.
  @inline(__always)
  func bytesToEnd(at start: Int) -> UInt64 {
    let rest = count - start
    if rest >= 8 { return eightBytes(at: start) }
    guard rest > 0 else { return 0 }
    if count >= 8 { return eightBytes(at: count - 8) >> UInt64(8 * (8 - rest)) }
    if rest >= 4 { return fourBytes(at: start) | fourBytes(at: count - 4) << UInt64(8 * (rest - 4)) }
    var bits = UInt64(self[start])
    if rest > 1 { bits |= UInt64(self[start + 1]) << 8 }
    if rest > 2 { bits |= UInt64(self[start + 2]) << 16 }
    return bits
  }
}

extension [UInt8] {
  /// A copy of a span.
  init(_ span: Span<UInt8>) {
    self = Array(repeating: 0, count: span.count)
    var target = mutableSpan
    for index in 0..<span.count { target[index] = span[index] }
  }

  /// Appends `text` with `mark` in the place of every `byte`.
  mutating func append(_ text: Span<UInt8>, replacing byte: UInt8, by mark: [UInt8]) {
    var found = 0
    for index in 0..<text.count where text[index] == byte { found += 1 }
    var place = count
    append(contentsOf: repeatElement(0, count: text.count + found * (mark.count - 1)))
    var target = mutableSpan
    let mark = mark.span
    for index in 0..<text.count {
      if text[index] != byte {
        target[place] = text[index]
        place += 1
        continue
      }
      for index in 0..<mark.count { target[place + index] = mark[index] }
      place += mark.count
    }
  }
}
