/// A set of scalars, as an expression writes it.
indirect enum CharacterSet: Sendable, Equatable {
  case ranges([ClosedRange<UInt32>])
  /// General categories, a bit for each of `UnicodeTable.categoryNames`.
  case categories(UInt32)
  /// A script by its number in `UnicodeTable.scriptNames`.
  case script(Int)
  case space
  case word
  case not(CharacterSet)
  case union([CharacterSet])
  case intersection([CharacterSet])

  /// Every scalar but the line feed: a dot.
  static let dot = CharacterSet.not(.ranges([0x0A...0x0A]))
  /// `\d`: the category Nd.
  static let digit = CharacterSet.categories(1 << 8)
  static let hexadecimal = CharacterSet.ranges([0x30...0x39, 0x41...0x46, 0x61...0x66])
}

extension CharacterSet {
  func contains(_ scalar: UInt32, in table: UnicodeTable) -> Bool {
    switch self {
    case .ranges(let ranges): ranges.contains { $0.contains(scalar) }
    case .categories(let mask): mask >> UInt32(table.unicodeClass(of: scalar).category) & 1 != 0
    case .script(let number): table.scripts[number].contains { $0.contains(scalar) }
    case .space: table.unicodeClass(of: scalar).isSpace
    case .word: table.unicodeClass(of: scalar).isExpressionWord
    case .not(let set): !set.contains(scalar, in: table)
    case .union(let sets): sets.contains { $0.contains(scalar, in: table) }
    case .intersection(let sets): sets.allSatisfy { $0.contains(scalar, in: table) }
    }
  }

  /// Appends the scalars at which ranges and scripts begin, and those after their ends.
  func appendBoundaries(to boundaries: inout [UInt32], in table: UnicodeTable) {
    switch self {
    case .ranges(let ranges): Self.append(ranges, to: &boundaries)
    case .script(let number): Self.append(table.scripts[number], to: &boundaries)
    case .categories, .space, .word: break
    case .not(let set): set.appendBoundaries(to: &boundaries, in: table)
    case .union(let sets), .intersection(let sets):
      for set in sets { set.appendBoundaries(to: &boundaries, in: table) }
    }
  }

  private static func append(_ ranges: [ClosedRange<UInt32>], to boundaries: inout [UInt32]) {
    for range in ranges { boundaries += [range.lowerBound, range.upperBound + 1] }
  }

  /// Scalars that differ from `scalar` in case alone, itself among them; nil outside of ASCII, where a letter may equal two.
  static func ignoringCase(_ scalar: UInt32) -> CharacterSet? {
    switch scalar {
    case 0x41...0x5A, 0x61...0x7A:
      let small = scalar | 0x20
      var ranges = [small...small, small - 0x20...small - 0x20]
      // The long s and the Kelvin sign.
      if small == 0x73 { ranges.append(0x17F...0x17F) }
      if small == 0x6B { ranges.append(0x212A...0x212A) }
      return .ranges(ranges)
    case ..<0x80: return .ranges([scalar...scalar])
    default: return nil
    }
  }
}

extension CharacterSet {
  /// A property by its name, as `\p{…}` has it; nil for a name that is not known.
  static func property(_ name: String) -> CharacterSet? {
    let plain = name.lowercased().filter { !" _-".contains($0) }
    if let number = UnicodeTable.scriptNames.firstIndex(where: { $0.lowercased() == plain }) { return .script(number) }
    if plain == "whitespace" || plain == "space" { return .space }
    let short = longNames[plain] ?? plain
    var mask: UInt32 = 0
    for (number, category) in UnicodeTable.categoryNames.enumerated() {
      let small = category.lowercased()
      if small == short || (short.count == 1 && small.hasPrefix(short)) { mask |= 1 << UInt32(number) }
    }
    return mask == 0 ? nil : .categories(mask)
  }

  private static let longNames = [
    "letter": "l", "uppercaseletter": "lu", "lowercaseletter": "ll", "titlecaseletter": "lt", "modifierletter": "lm",
    "otherletter": "lo", "mark": "m", "nonspacingmark": "mn", "spacingmark": "mc", "enclosingmark": "me", "number": "n",
    "decimalnumber": "nd", "letternumber": "nl", "othernumber": "no", "punctuation": "p", "symbol": "s", "separator": "z",
    "other": "c", "control": "cc", "format": "cf",
  ]
}
