/// A number for each of a set of pairs: the rank of two tokens that merge, the child of a trie's node
/// and a byte. A hash table with open addressing.
///
/// Every symbol of a text may ask it, which is why it is not a `Dictionary`.
struct PairTable: Sendable {
  /// Not the number of any pair.
  static let none = UInt32.max
  // Both sides are not negative, so no pair has this key.
  private static let emptyKey = UInt64.max

  private var keys: [UInt64]
  private var numbers: [UInt32]
  private let mask: Int
  // A file could be written to collide under a fixed hash; results do not depend on the seed.
  private let seed = UInt64.random(in: 0...UInt64.max)

  /// - Parameter count: the number of pairs to hold; at most half of the places are taken by them.
  init(count: Int) {
    var capacity = 16
    while capacity < 2 * count { capacity *= 2 }
    keys = Array(repeating: Self.emptyKey, count: capacity)
    numbers = Array(repeating: Self.none, count: capacity)
    mask = capacity - 1
  }

  /// - Returns: false when the pair has a number already, which it keeps.
  mutating func insert(_ left: Int32, _ right: Int32, number: UInt32) -> Bool {
    let place = place(of: Self.key(left, right))
    guard keys[place] == Self.emptyKey else { return false }
    keys[place] = Self.key(left, right)
    numbers[place] = number
    return true
  }

  /// The number of a pair, or `none`.
  func number(_ left: Int32, _ right: Int32) -> UInt32 { numbers[place(of: Self.key(left, right))] }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// Where the key is, or would be.
  private func place(of key: UInt64) -> Int {
    // Folded product with an odd constant (the golden ratio), as in wyhash.
    let product = (key ^ seed).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    var place = Int(truncatingIfNeeded: product.high ^ product.low) & mask
    while keys[place] != key, keys[place] != Self.emptyKey { place = (place + 1) & mask }
    return place
  }
}
