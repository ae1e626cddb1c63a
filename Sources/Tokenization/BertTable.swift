/// What BERT's normalizer and pre-tokenizer ask about one scalar.
struct BertClass: Sendable, Equatable {
  /// Whether `clean_text` drops it or makes it a space.
  enum Cleaning: UInt8 { case kept = 0, dropped = 1, space = 2 }

  /// How text is cut: words are runs, a punctuation mark is a word of its own.
  enum Kind: UInt8 { case word = 0, space = 1, punctuation = 2 }

  /// What stripping accents makes of it.
  enum Mark: UInt8 {
    case none = 0
    /// Dropped; accents before and after it stay neighbours.
    case dropped = 1
    /// Dropped, but accents are ordered on either side of it apart.
    case droppedStarter = 2
    /// An accent of an edition that the library's categories do not know: it stays, in the order of combining classes.
    case ordered = 3
  }

  // Bits 0 and 1: cleaning. 2 and 3: kind. 4 and 5: mark. 6: it has a decomposition. 7: it has a lower case.
  let bits: UInt8

  static let decomposes: UInt8 = 64
  static let lowercases: UInt8 = 128

  var cleaning: Cleaning { Cleaning(rawValue: bits & 3) ?? .kept }
  var kind: Kind { Kind(rawValue: bits >> 2 & 3) ?? .word }
  var mark: Mark { Mark(rawValue: bits >> 4 & 3) ?? .none }
  var decomposes: Bool { bits & Self.decomposes != 0 }
  var lowercases: Bool { bits & Self.lowercases != 0 }
}

/// The class of every scalar, and what it becomes; equal to the Hugging Face library, whose steps use editions of Unicode
/// of their own.
struct BertTable: Sendable {
  private let classes: ScalarTable
  let decomposed = ScalarMap(packed: decompositions)
  let lower = ScalarMap(packed: lowercase)
  private let orders = ScalarMap(packed: combiningClasses)

  /// Expanded once, on first use.
  static let shared = BertTable()

  private init() {
    var flat = ScalarTable.flat(runs: Self.runs, bitCount: 6)
    for key in decomposed.keys { flat[Int(key)] |= BertClass.decomposes }
    for key in lower.keys { flat[Int(key)] |= BertClass.lowercases }
    classes = ScalarTable(flat)
  }

  /// - Parameter ascii: a byte below 0x80.
  subscript(ascii byte: UInt8) -> BertClass { BertClass(bits: classes[ascii: byte]) }

  /// - Parameter scalar: at most U+10FFFF.
  subscript(scalar: UInt32) -> BertClass { BertClass(bits: classes[scalar]) }

  /// The combining class of an accent that stays.
  func order(of scalar: UInt32) -> UInt32 { orders[scalar].first ?? 0 }

  /// Scripts that are written without spaces between words, as BERT counts them: each of these is a word.
  static func isIdeograph(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x2A6DF, 0x2A700...0x2B81F, 0x2B920...0x2CEAF,
      0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
