/// What the pre-tokenizers can ask about one symbol of a text.
struct CharacterClass: Sendable, Equatable {
  /// The four sides of GPT-2's expression; every symbol is on exactly one.
  enum Kind: UInt8, Sendable {
    /// `[^\s\p{L}\p{N}]`: marks, punctuation, symbols, unassigned, and bytes that are not UTF-8.
    case other = 0
    /// `\p{L}`
    case letter = 1
    /// `\p{N}`
    case number = 2
    /// `\s`: the Unicode property White_Space.
    case space = 3
  }

  /// Bits 0 and 1: the kind. Bit 2: a digit.
  let bits: UInt8

  static let other = CharacterClass(bits: 0)

  var kind: Kind {
    switch bits & 3 {
    case 1: .letter
    case 2: .number
    case 3: .space
    default: .other
    }
  }

  /// Whether it is numeric to the pre-tokenizer that isolates digits. That one reads a newer edition
  /// of Unicode than the expression does, so a few digits are of kind `other`.
  var isDigit: Bool { bits & 4 != 0 }
}

/// The class of every Unicode scalar.
struct CharacterClassTable: Sendable {
  private let table: ScalarTable

  /// Expanded once, on first use.
  static let shared = CharacterClassTable(runs: runs)

  /// - Parameter runs: for each run of equal scalars its first, times 8, plus the class's bits;
  ///   ascending, the first at U+0000.
  init(runs: [UInt32]) { table = ScalarTable(ScalarTable.flat(runs: runs, bitCount: 3)) }

  /// - Parameter ascii: a byte below 0x80.
  subscript(ascii byte: UInt8) -> CharacterClass { CharacterClass(bits: table[ascii: byte]) }

  /// - Parameter scalar: at most U+10FFFF.
  subscript(scalar: UInt32) -> CharacterClass { CharacterClass(bits: table[scalar]) }
}
