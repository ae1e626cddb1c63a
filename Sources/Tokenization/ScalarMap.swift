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
