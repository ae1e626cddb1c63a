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

/// The class of every Unicode scalar, in two stages: a page for each 256 scalars, equal pages shared.
struct CharacterClassTable: Sendable {
  private let pages: [UInt16]  // [0x1100]
  private let classes: [CharacterClass]  // [page, 256], page 0 first: ASCII is at its own value

  /// Expanded once, on first use.
  static let shared = CharacterClassTable(runs: runs)

  /// - Parameter runs: for each run of equal scalars its first, times 8, plus the class's bits;
  ///   ascending, the first at U+0000.
  init(runs: [UInt32]) {
    var flat = [UInt8](repeating: 0, count: 0x110000)
    for (index, run) in runs.enumerated() {
      let end = index + 1 < runs.count ? Int(runs[index + 1] >> 3) : flat.count
      for scalar in Int(run >> 3)..<end { flat[scalar] = UInt8(run & 7) }
    }
    var pages: [UInt16] = []
    var classes: [CharacterClass] = []
    var known: [ArraySlice<UInt8>: UInt16] = [:]
    for start in stride(from: 0, to: flat.count, by: 256) {
      let page = flat[start..<start + 256]
      if let number = known[page] {
        pages.append(number)
      } else {
        let number = UInt16(classes.count / 256)
        known[page] = number
        pages.append(number)
        classes += page.map(CharacterClass.init(bits:))
      }
    }
    self.pages = pages
    self.classes = classes
  }

  /// - Parameter ascii: a byte below 0x80.
  subscript(ascii byte: UInt8) -> CharacterClass { classes[Int(byte)] }

  /// - Parameter scalar: at most U+10FFFF.
  subscript(scalar: UInt32) -> CharacterClass {
    classes[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 255)]
  }
}
