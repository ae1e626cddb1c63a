/// Decompositions, compositions and combining classes, in the edition of Unicode that the Hugging Face library normalises by.
struct NormalizationTable: Sendable {
  let canonical = ScalarMap(counted: UnicodeTable.canonicalEntries)
  /// In compatibility, where that differs.
  let compatible = ScalarMap(counted: UnicodeTable.compatibleEntries)
  private let combining: ScalarTable
  private var compositions: PairTable
  /// What of a text must be looked at more closely, by form: see `needsWork`.
  private(set) var work: [NormalForm: ScalarTable] = [:]

  static let shared = NormalizationTable()

  private init() {
    var flat = [UInt8](repeating: 0, count: 0x110000)
    let pairs = UnicodeTable.combiningPairs
    for place in stride(from: 0, to: pairs.count, by: 2) { flat[Int(pairs[place])] = UInt8(pairs[place + 1]) }
    combining = ScalarTable(flat)
    let triples = UnicodeTable.compositionTriples
    compositions = PairTable(count: triples.count / 3)
    for place in stride(from: 0, to: triples.count, by: 3) {
      _ = compositions.insert(Int32(triples[place]), Int32(triples[place + 1]), number: triples[place + 2])
    }
    for form in NormalForm.allCases { work[form] = ScalarTable(workFlags(form, combining: flat)) }
  }

  /// The class by its rank; 0 for what starts again.
  func combiningClass(of scalar: UInt32) -> UInt8 { combining[scalar] }

  /// What two scalars become, or nil.
  func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if let syllable = HangulSyllable.composition(first, second) { return syllable }
    let found = compositions.number(Int32(first), Int32(second))
    return found == PairTable.none ? nil : found
  }

  /// 1 for each scalar that is not simply kept, whatever stands alongside it: it decomposes, is put in order, or joins what is before.
  private func workFlags(_ form: NormalForm, combining: [UInt8]) -> [UInt8] {
    var flags = combining.map { $0 == 0 ? UInt8(0) : 1 }
    let keys = canonical.keys + (form.isCompatible ? compatible.keys : [])
    if form.composes {
      for place in stride(from: 0, to: UnicodeTable.compositionTriples.count, by: 3) {
        flags[Int(UnicodeTable.compositionTriples[place + 1])] = 1
      }
      for jamo in 0x1161...0x11C2 { flags[jamo] = 1 }
      for key in keys {
        var buffer = NormalizationBuffer(form)
        buffer.append(key, self)
        if buffer.finish(self) != [key] { flags[Int(key)] = 1 }
      }
    } else {
      for key in keys { flags[Int(key)] = 1 }
      for syllable in HangulSyllable.range { flags[Int(syllable)] = 1 }
    }
    return flags
  }
}
