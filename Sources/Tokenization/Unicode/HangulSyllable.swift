/// The syllables that are taken apart and put together by arithmetic. Source: the Unicode standard, section 3.12.
enum HangulSyllable {
  static let range: ClosedRange<UInt32> = 0xAC00...0xD7A3
  private static let vowelCount: UInt32 = 21
  /// And one for none.
  private static let finalCount: UInt32 = 28

  static func jamos(of syllable: UInt32) -> [UInt32] {
    let index = syllable - range.lowerBound
    let first = 0x1100 + index / (vowelCount * finalCount)
    let vowel = 0x1161 + index / finalCount % vowelCount
    let final = index % finalCount
    return final == 0 ? [first, vowel] : [first, vowel, 0x11A7 + final]
  }

  static func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if (0x1100..<0x1113).contains(first), (0x1161..<0x1176).contains(second) {
      return range.lowerBound + ((first - 0x1100) * vowelCount + second - 0x1161) * finalCount
    }
    if range.contains(first), (first - range.lowerBound) % finalCount == 0, (0x11A8..<0x11C3).contains(second) {
      return first + second - 0x11A7
    }
    return nil
  }
}

extension [UInt8] {
  /// Appends a scalar as UTF-8; it must be one, not a surrogate.
  mutating func append(scalar: UInt32) {
    switch scalar {
    case ..<0x80: append(UInt8(scalar))
    case ..<0x800:
      append(UInt8(0xC0 | scalar >> 6))
      append(UInt8(0x80 | scalar & 0x3F))
    case ..<0x10000:
      append(UInt8(0xE0 | scalar >> 12))
      append(UInt8(0x80 | scalar >> 6 & 0x3F))
      append(UInt8(0x80 | scalar & 0x3F))
    default:
      append(UInt8(0xF0 | scalar >> 18))
      append(UInt8(0x80 | scalar >> 12 & 0x3F))
      append(UInt8(0x80 | scalar >> 6 & 0x3F))
      append(UInt8(0x80 | scalar & 0x3F))
    }
  }
}
