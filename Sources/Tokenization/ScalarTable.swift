/// A byte for every Unicode scalar, in two stages: a page for each 256 scalars, equal pages shared.
struct ScalarTable: Sendable {
  private let pages: [UInt16]  // [0x1100]
  private let values: [UInt8]  // [page, 256], page 0 first: ASCII is at its own value

  /// 0 for every scalar.
  static let zeros = ScalarTable(pages: [UInt16](repeating: 0, count: 0x1100), values: [UInt8](repeating: 0, count: 256))

  private init(pages: [UInt16], values: [UInt8]) {
    self.pages = pages
    self.values = values
  }

  /// - Parameter flat: [0x110000], the value of each scalar.
  init(_ flat: [UInt8]) {
    var pages: [UInt16] = []
    var values: [UInt8] = []
    var known: [ArraySlice<UInt8>: UInt16] = [:]
    for start in stride(from: 0, to: flat.count, by: 256) {
      let page = flat[start..<start + 256]
      if let number = known[page] {
        pages.append(number)
      } else {
        let number = UInt16(values.count / 256)
        known[page] = number
        pages.append(number)
        values += page
      }
    }
    self.pages = pages
    self.values = values
  }

  /// The value of each scalar, [0x110000].
  ///
  /// - Parameters:
  ///   - runs: for each run of equal scalars its first, times 2^bitCount, plus the value; ascending, the first at U+0000.
  ///   - bitCount: of a value, at most 8.
  static func flat(runs: [UInt32], bitCount: UInt32) -> [UInt8] {
    var flat = [UInt8](repeating: 0, count: 0x110000)
    let mask = UInt32(1) << bitCount - 1
    for (index, run) in runs.enumerated() {
      let end = index + 1 < runs.count ? Int(runs[index + 1] >> bitCount) : flat.count
      for scalar in Int(run >> bitCount)..<end { flat[scalar] = UInt8(run & mask) }
    }
    return flat
  }

  /// - Parameter ascii: a byte below 0x80.
  subscript(ascii byte: UInt8) -> UInt8 { values[Int(byte)] }

  /// - Parameter scalar: at most U+10FFFF.
  subscript(scalar: UInt32) -> UInt8 { values[Int(pages[Int(scalar >> 8)]) << 8 | Int(scalar & 255)] }
}
