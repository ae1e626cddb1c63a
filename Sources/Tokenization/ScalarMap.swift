/// A few numbers for some of the scalars; the others have none.
struct ScalarMap: Sendable {
  let keys: [UInt32]  // ascending
  private let starts: [UInt32]  // of each key's numbers in `numbers`, and one after the last
  private var places = ScalarIndex()  // of a scalar in `keys`
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
    for (place, key) in keys.enumerated() { places[key] = Int32(place) }
    self.keys = keys
    self.starts = starts
    self.numbers = numbers
  }

  /// The numbers of `scalar`, at most U+10FFFF; none where it is no key.
  subscript(scalar: UInt32) -> ArraySlice<UInt32> {
    let place = Int(places[scalar])
    return place < 0 ? [] : numbers[Int(starts[place])..<Int(starts[place + 1])]
  }
}
