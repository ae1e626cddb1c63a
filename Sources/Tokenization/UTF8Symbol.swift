/// What stands at one place of a text that should be UTF-8.
enum UTF8Symbol: Equatable {
  /// A whole scalar, well-formed after Table 3-7 of the Unicode standard.
  case scalar(UInt32, byteCount: Int)
  /// The text ends inside what may become a scalar.
  case incomplete
  /// A byte that is part of no scalar, whatever follows.
  case invalid
}

extension Span<UInt8> {
  /// The symbol that starts at `offset`, which must be within the span. Constant time.
  @inline(__always)
  func symbol(at offset: Int) -> UTF8Symbol {
    let lead = self[offset]
    return lead < 0x80 ? .scalar(UInt32(lead), byteCount: 1) : symbol(at: offset, lead)
  }

  private func symbol(at offset: Int, _ lead: UInt8) -> UTF8Symbol {
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0xC2...0xDF: length = 2
    case 0xE0: length = 3; second = 0xA0...0xBF
    case 0xED: length = 3; second = 0x80...0x9F
    case 0xE1...0xEF: length = 3
    case 0xF0: length = 4; second = 0x90...0xBF
    case 0xF1...0xF3: length = 4
    case 0xF4: length = 4; second = 0x80...0x8F
    default: return .invalid
    }
    var scalar = UInt32(lead) & (0x7F >> UInt32(length))
    for index in 1..<length {
      guard offset + index < count else { return .incomplete }
      let byte = self[offset + index]
      guard (index == 1 ? second : 0x80...0xBF).contains(byte) else { return .invalid }
      scalar = scalar << 6 | UInt32(byte & 0x3F)
    }
    return .scalar(scalar, byteCount: length)
  }
}
