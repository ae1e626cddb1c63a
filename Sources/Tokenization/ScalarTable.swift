/// A byte for every Unicode scalar, in two stages: a page for each 256 scalars, equal pages shared.
struct ScalarTable: Sendable {
  private let pages: [UInt16]  // [0x1100]
  private let values: [UInt8]  // [page, 256], page 0 first: ASCII is at its own value

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

/// A few numbers for some of the scalars; the others have none.
struct ScalarMap: Sendable {
  let keys: [UInt32]  // ascending
  private let starts: [UInt32]  // of each key's numbers in `numbers`, and one after the last
  private let numbers: [UInt32]

  /// - Parameter entries: for each scalar, ascending, itself times 4 plus how many numbers it has, then those.
  init(packed entries: [UInt32]) {
    self.init(entries, headCount: 1) { entries, place in (entries[place] >> 2, Int(entries[place] & 3)) }
  }

  /// - Parameter entries: for each scalar, ascending, itself, how many numbers it has, and those.
  init(counted entries: [UInt32]) {
    self.init(entries, headCount: 2) { entries, place in (entries[place], Int(entries[place + 1])) }
  }

  /// - Parameter head: of the entry at a place, which has `headCount` numbers before its own.
  private init(_ entries: [UInt32], headCount: Int, head: ([UInt32], Int) -> (scalar: UInt32, count: Int)) {
    var keys: [UInt32] = []
    var starts: [UInt32] = [0]
    var numbers: [UInt32] = []
    var place = 0
    while place < entries.count {
      let (scalar, count) = head(entries, place)
      keys.append(scalar)
      numbers += entries[place + headCount..<place + headCount + count]
      starts.append(UInt32(numbers.count))
      place += headCount + count
    }
    self.keys = keys
    self.starts = starts
    self.numbers = numbers
  }

  /// The numbers of `scalar`, none where it is no key. O(log n).
  subscript(scalar: UInt32) -> ArraySlice<UInt32> {
    var low = 0
    var high = keys.count
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < scalar { low = middle + 1 } else { high = middle }
    }
    guard low < keys.count, keys[low] == scalar else { return [] }
    return numbers[Int(starts[low])..<Int(starts[low + 1])]
  }
}
