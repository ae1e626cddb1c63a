/// The rank of each pair of tokens that merges: a hash table with open addressing.
///
/// Every uncached symbol of a text asks it, which is why it is not a `Dictionary`.
struct PairTable: Sendable {
  /// Not the rank of any pair.
  static let noRank = UInt32.max
  // Ids are not negative, so no pair has this key.
  private static let emptyKey = UInt64.max

  private var keys: [UInt64]
  private var ranks: [UInt32]
  private let mask: Int
  // A file could be written to collide under a fixed hash; results do not depend on the seed.
  private let seed = UInt64.random(in: 0...UInt64.max)

  /// - Parameter count: the number of pairs to hold; at most half of the places are taken by them.
  init(count: Int) {
    var capacity = 16
    while capacity < 2 * count { capacity *= 2 }
    keys = Array(repeating: Self.emptyKey, count: capacity)
    ranks = Array(repeating: Self.noRank, count: capacity)
    mask = capacity - 1
  }

  /// - Returns: false when the pair has a rank already, which it keeps.
  mutating func insert(_ left: Int32, _ right: Int32, rank: UInt32) -> Bool {
    let place = place(of: Self.key(left, right))
    guard keys[place] == Self.emptyKey else { return false }
    keys[place] = Self.key(left, right)
    ranks[place] = rank
    return true
  }

  /// The rank of a pair, or `noRank`.
  func rank(_ left: Int32, _ right: Int32) -> UInt32 { ranks[place(of: Self.key(left, right))] }

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
