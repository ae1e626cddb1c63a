import Files

extension ExpressionParser {
  /// A backslash and what follows, outside of brackets.
  mutating func escape() throws(RallyError) -> ExpressionNode {
    for (name, anchor) in [("\\A", ExpressionNode.Anchor.textStart), ("\\z", .textEnd), ("\\Z", .lastLineEnd)] where take(name) {
      return .anchor(anchor)
    }
    switch try escaped() {
    case .set(let set): return .set(set)
    case .scalar(let scalar): return .set(try literal(scalar))
    }
  }

  private enum Escaped {
    case set(CharacterSet)
    case scalar(Unicode.Scalar)
  }

  private mutating func escaped() throws(RallyError) -> Escaped {
    position += 1
    guard let letter = next else { throw unsupported("\\ at the end") }
    position += 1
    switch letter {
    case "s": return .set(.space)
    case "S": return .set(.not(.space))
    case "d": return .set(.digit)
    case "D": return .set(.not(.digit))
    case "w": return .set(.word)
    case "W": return .set(.not(.word))
    case "h": return .set(.hexadecimal)
    case "H": return .set(.not(.hexadecimal))
    case "p", "P": return .set(try property(isNegative: letter == "P"))
    case "r": return .scalar("\r")
    case "n": return .scalar("\n")
    case "t": return .scalar("\t")
    case "f": return .scalar("\u{0C}")
    case "v": return .scalar("\u{0B}")
    case "x", "u": return .scalar(try code(letter))
    case "a"..."z", "A"..."Z", "0"..."9": throw unsupported("\\\(letter)")
    default: return .scalar(letter)
    }
  }

  /// `\xHH`, `\x{H…}` or `\uHHHH`.
  private mutating func code(_ letter: Unicode.Scalar) throws(RallyError) -> Unicode.Scalar {
    let isBraced = letter == "x" && take("{")
    let limit = isBraced ? 6 : letter == "x" ? 2 : 4
    var digits = ""
    while digits.count < limit, let digit = next, digit.properties.isASCIIHexDigit {
      digits.unicodeScalars.append(digit)
      position += 1
    }
    guard let value = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(value), !isBraced || take("}"),
      // Below a brace, bytes from 80 on are no characters in this syntax.
      isBraced || letter == "u" ? (letter == "x" || digits.count == 4) : value < 0x80
    else { throw unsupported("\\\(letter)\(digits)") }
    return scalar
  }

  private mutating func property(isNegative: Bool) throws(RallyError) -> CharacterSet {
    guard take("{"), let end = scalars[position...].firstIndex(of: "}") else { throw unsupported("\\p without {…}") }
    let isInverted = take("^")
    let name = String(String.UnicodeScalarView(scalars[position..<end]))
    guard let set = CharacterSet.property(name) else { throw unsupported("\\p{\(name)}") }
    position = end + 1
    return isNegative != isInverted ? .not(set) : set
  }
}

extension ExpressionParser {
  /// A set in brackets, with sets inside it and `&&` between them.
  mutating func bracket(depth: Int = 0) throws(RallyError) -> CharacterSet {
    guard depth < 16 else { throw unsupported("brackets more than 16 deep") }
    position += 1
    let isNegative = take("^")
    var parts: [CharacterSet] = []
    var sides: [CharacterSet] = []
    guard next != "]" else { throw unsupported("an empty class") }
    while let scalar = next, scalar != "]" {
      if take("&&") {
        sides.append(.union(parts))
        parts = []
      } else if follows("[:") {
        throw unsupported("[:…:]")
      } else if scalar == "[" {
        parts.append(try bracket(depth: depth + 1))
      } else {
        parts.append(try member())
      }
    }
    guard take("]") else { throw unsupported("[ without ]") }
    let last = CharacterSet.union(parts)
    let set = sides.isEmpty ? last : .intersection(sides + [last])
    return isNegative ? .not(set) : set
  }

  /// A character, a range or a set by its letter.
  private mutating func member() throws(RallyError) -> CharacterSet {
    let first: Unicode.Scalar
    switch try memberStart() {
    case .set(let set):
      if follows("-"), !follows("-]") { throw unsupported("a range that begins with a class") }
      return set
    case .scalar(let scalar): first = scalar
    }
    guard follows("-"), !follows("-]") else { return try literal(first) }
    position += 1
    guard next != "[", case .scalar(let last) = try memberStart(), first <= last else { throw unsupported("this range") }
    guard ignoresCase else { return .ranges([first.value...last.value]) }
    guard last.value < 0x80 else { throw unsupported("(?i:) with a range outside of ASCII") }
    var letters: [CharacterSet] = []
    for value in first.value...last.value { letters += [CharacterSet.ignoringCase(value)].compactMap(\.self) }
    return .union(letters)
  }

  private mutating func memberStart() throws(RallyError) -> Escaped {
    guard let scalar = next else { throw unsupported("[ without ]") }
    if scalar == "\\" { return try escaped() }
    position += 1
    return .scalar(scalar)
  }
}
