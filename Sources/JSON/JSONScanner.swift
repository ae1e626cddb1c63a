/// What is wrong with a text that should be JSON.
package struct JSONError: Error {
  package var message: String

  package init(message: String) { self.message = message }
}

/// Walks over the bytes of one JSON text and checks every one of them (RFC 8259).
package struct JSONScanner {
  package let bytes: [UInt8]
  package private(set) var position = 0
  /// NaN, Infinity and -Infinity are numbers, as Python's json, DuckDB and Arrow write them.
  package var allowsNonFinite = false

  /// Deeper nesting is refused: each level is a call on the stack.
  private static let depthLimit = 200

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  package mutating func skipSpace() {
    while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
  }

  /// Takes `character` and the space around it, if it is next.
  package mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    skipSpace()
    return true
  }

  package mutating func require(_ character: Unicode.Scalar) throws(JSONError) {
    guard take(character) else { throw unexpected("'\(character)'") }
  }

  package func unexpected(_ expected: String) -> JSONError {
    guard let byte = next else { return JSONError(message: "expected \(expected), found the end of the line") }
    let found = (0x21..<0x7F).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "byte \(byte)"
    return JSONError(message: "expected \(expected), found \(found) at byte \(position + 1)")
  }

  /// Walks over a value of any kind.
  package mutating func skipValue(depth: Int = 0) throws(JSONError) {
    guard depth < Self.depthLimit else {
      throw JSONError(message: "expected at most \(Self.depthLimit) levels of nesting, found more")
    }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"):
      try members { (scanner) throws(JSONError) in
        _ = try scanner.string()
        try scanner.require(":")
        try scanner.skipValue(depth: depth + 1)
      }
    case UInt8(ascii: "["):
      try elements { (scanner) throws(JSONError) in try scanner.skipValue(depth: depth + 1) }
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "t"): try skip("true")
    case UInt8(ascii: "f"): try skip("false")
    case UInt8(ascii: "n"): try skip("null")
    case UInt8(ascii: "N") where allowsNonFinite: try skip("NaN")
    case UInt8(ascii: "I") where allowsNonFinite: try skip("Infinity")
    case UInt8(ascii: "-") where allowsNonFinite && bytes[position...].starts(with: "-I".utf8): try skip("-Infinity")
    default: try skipNumber()
    }
  }

  package mutating func members(_ body: (inout JSONScanner) throws(JSONError) -> Void) throws(JSONError) {
    try list("{", "}", body)
  }

  package mutating func elements(_ body: (inout JSONScanner) throws(JSONError) -> Void) throws(JSONError) {
    try list("[", "]", body)
  }

  private mutating func list(
    _ opening: Unicode.Scalar, _ closing: Unicode.Scalar, _ body: (inout JSONScanner) throws(JSONError) -> Void
  ) throws(JSONError) {
    try require(opening)
    if closes(closing) { return }
    while true {
      try body(&self)
      skipSpace()
      if closes(closing) { return }
      guard take(",") else { throw unexpected("',' or '\(closing)'") }
    }
  }

  /// Takes `closing` and leaves what follows: a value ends with its last byte.
  private mutating func closes(_ closing: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: closing) else { return false }
    position += 1
    return true
  }

  private mutating func skip(_ word: String) throws(JSONError) {
    guard bytes[position...].starts(with: word.utf8) else { throw unexpected("a value") }
    position += word.utf8.count
  }

  private mutating func skipNumber() throws(JSONError) {
    let start = position
    if next == UInt8(ascii: "-") { position += 1 }
    let firstDigit = position
    guard skipDigits() else {
      position = start
      throw unexpected("a value")
    }
    if bytes[firstDigit] == UInt8(ascii: "0"), position - firstDigit > 1 {
      throw JSONError(message: "expected a number without a leading zero at byte \(firstDigit + 1)")
    }
    if next == UInt8(ascii: ".") {
      position += 1
      guard skipDigits() else { throw unexpected("a digit") }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      guard skipDigits() else { throw unexpected("a digit") }
    }
  }

  private mutating func skipDigits() -> Bool {
    let start = position
    while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
    return position > start
  }

  package mutating func integer() throws(JSONError) -> Int {
    skipSpace()
    let start = position
    try skipValue()
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard let value = Int(text) else { throw JSONError(message: "expected a whole number, found \(text.prefix(40))") }
    return value
  }
}

// MARK: Strings

extension JSONScanner {
  /// - Parameter refusesHalves: half a surrogate pair is an error; else it becomes U+FFFD.
  /// - Returns: the string's bytes, UTF-8.
  package mutating func string(refusesHalves: Bool = false) throws(JSONError) -> [UInt8] {
    guard next == UInt8(ascii: "\"") else { throw unexpected("a string") }
    position += 1
    var text: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return text
      case UInt8(ascii: "\\"): try appendEscape(to: &text, refusesHalves: refusesHalves)
      case 0..<0x20:
        position -= 1
        throw unexpected("an escape instead of a control character")
      default: text.append(byte)
      }
    }
    throw unexpected("the end of the string")
  }

  private mutating func appendEscape(to text: inout [UInt8], refusesHalves: Bool) throws(JSONError) {
    let letter = next
    position += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter ?? 0)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"): text += Array(String(try unicodeEscape(refusesHalves: refusesHalves)).utf8)
    default:
      position -= 1
      throw unexpected("an escape")
    }
  }

  /// After `\u`.
  private mutating func unicodeEscape(refusesHalves: Bool) throws(JSONError) -> Character {
    let first = try hexadecimal()
    if let scalar = Unicode.Scalar(first) { return Character(scalar) }
    // Half a pair: the other half must follow.
    let start = position
    if first < 0xDC00, bytes[position...].starts(with: "\\u".utf8) {
      position += 2
      let second = try hexadecimal()
      if (0xDC00..<0xE000).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (UInt32(first - 0xD800) << 10) + UInt32(second - 0xDC00))
      {
        return Character(scalar)
      }
      position = start
    }
    guard !refusesHalves else { throw JSONError(message: "expected a whole surrogate pair, found half of one") }
    return "\u{FFFD}"
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt16 {
    let digits = bytes[position...].prefix(4)
    guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let value = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw unexpected("four hexadecimal digits") }
    position += 4
    return value
  }
}
