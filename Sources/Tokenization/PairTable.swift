/// A number for each of a set of pairs: the rank of two tokens that merge, the child of a trie's node
/// and a byte. A hash table with open addressing.
///
/// Every symbol of a text may ask it, which is why it is not a `Dictionary`.
struct PairTable: Sendable {
  /// Not the number of any pair.
  static let none = UInt32.max
  // Both sides are not negative, so no pair has this key.
  private static let emptyKey = UInt64.max

  // A pair and its number stand together: one cache line is read for both.
  private struct Entry {
    var key = PairTable.emptyKey
    var number = PairTable.none
  }

  private var entries: [Entry]  // [a power of two], at most half of them taken
  private var count = 0
  // A file could be written to collide under a fixed hash; results do not depend on the seed.
  private let seed = UInt64.random(in: 0...UInt64.max)

  /// - Parameter count: the number of pairs that are expected.
  init(count: Int) {
    var capacity = 16
    while capacity < 2 * count { capacity *= 2 }
    entries = Array(repeating: Entry(), count: capacity)
  }

  /// - Returns: false when the pair has a number already, which it keeps.
  mutating func insert(_ left: Int32, _ right: Int32, number: UInt32) -> Bool {
    if 2 * count >= entries.count { grow() }
    let place = place(of: Self.key(left, right))
    guard entries[place].key == Self.emptyKey else { return false }
    entries[place] = Entry(key: Self.key(left, right), number: number)
    count += 1
    return true
  }

  private mutating func grow() {
    let old = entries
    entries = Array(repeating: Entry(), count: 2 * old.count)
    for entry in old where entry.key != Self.emptyKey { entries[place(of: entry.key)] = entry }
  }

  /// The number of a pair, or `none`.
  func number(_ left: Int32, _ right: Int32) -> UInt32 { entries[place(of: Self.key(left, right))].number }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// Where the key is, or would be.
  @inline(__always)
  private func place(of key: UInt64) -> Int {
    let mask = entries.count - 1
    // Folded product with an odd constant (the golden ratio), as in wyhash.
    let product = (key ^ seed).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    var place = Int(truncatingIfNeeded: product.high ^ product.low) & mask
    while entries[place].key != key, entries[place].key != Self.emptyKey { place = (place + 1) & mask }
    return place
  }
}
