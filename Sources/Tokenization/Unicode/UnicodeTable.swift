/// What the steps of a tokenizer ask about one scalar; equal to the Hugging Face library, whose steps use editions of
/// Unicode of their own.
struct UnicodeTable: Sendable {
  private let classes: ScalarTable
  private let clusters: ScalarTable
  private let marks: ScalarTable
  /// For each script its ranges, ascending.
  let scripts: [[ClosedRange<UInt32>]]

  /// Expanded once, on first use.
  static let shared = UnicodeTable()

  private init() {
    classes = ScalarTable(ScalarTable.flat(runs: Self.classRuns, bitCount: 8))
    clusters = ScalarTable(ScalarTable.flat(runs: Self.clusterRuns, bitCount: 8))
    marks = ScalarTable(ScalarTable.flat(runs: Self.markRuns, bitCount: 1))
    var scripts = [[ClosedRange<UInt32>]](repeating: [], count: Self.scriptNames.count)
    for place in stride(from: 0, to: Self.scriptRanges.count, by: 3) {
      scripts[Int(Self.scriptRanges[place])].append(Self.scriptRanges[place + 1]...Self.scriptRanges[place + 2])
    }
    self.scripts = scripts
  }

  /// - Parameter scalar: at most U+10FFFF.
  func unicodeClass(of scalar: UInt32) -> UnicodeClass { UnicodeClass(bits: classes[scalar]) }

  /// - Parameter scalar: at most U+10FFFF.
  func cluster(of scalar: UInt32) -> ClusterClass { ClusterClass(bits: clusters[scalar]) }

  /// A combining mark, which `StripAccents` drops.
  func isMark(_ scalar: UInt32) -> Bool { marks[scalar] != 0 }

  /// The general categories by their numbers; those of one letter are unions.
  static let categoryNames = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc",
    "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
  ]

  static let scriptNames = [
    "Han", "Hiragana", "Katakana", "Hangul", "Bopomofo", "Latin", "Greek", "Cyrillic", "Arabic", "Hebrew", "Devanagari",
    "Bengali", "Tamil", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan", "Georgian", "Armenian",
  ]
}

/// What expressions know of a scalar.
struct UnicodeClass: Sendable, Equatable {
  // Bits 0 to 4: the number of the general category. 5: white space. 6: `\w` of an expression. 7: `\w` alongside an added token.
  let bits: UInt8

  /// The number in `UnicodeTable.categoryNames`.
  var category: UInt8 { bits & 31 }
  /// `\s`: the property White_Space.
  var isSpace: Bool { bits & 32 != 0 }
  /// `\w` of an expression (Oniguruma's).
  var isExpressionWord: Bool { bits & 64 != 0 }
  /// `\w` of the pre-tokenizer `Whitespace` and of added tokens that are single words: a newer edition.
  var isWord: Bool { bits & 128 != 0 }
}

/// What a scalar is in a grapheme cluster, by the properties of Unicode Standard Annex 29.
struct ClusterClass: Sendable, Equatable {
  let bits: UInt8

  /// No boundary before it: Extend, ZWJ, SpacingMark.
  var extends: Bool { bits & 1 != 0 }
  /// No boundary after it: Prepend.
  var prepends: Bool { bits & 2 != 0 }
  /// A boundary on both sides: Control, CR, LF.
  var controls: Bool { bits & 4 != 0 }
  /// Extended_Pictographic.
  var isPicture: Bool { bits & 8 != 0 }
  /// Indic_Conjunct_Break.
  var isConsonant: Bool { bits & 16 != 0 }
  var isLinker: Bool { bits & 32 != 0 }
  /// It may stand between a picture and a joiner: Extend.
  var extendsPicture: Bool { bits & 64 != 0 }
  /// It may stand in a conjunct.
  var extendsConjunct: Bool { bits & 128 != 0 }
}
