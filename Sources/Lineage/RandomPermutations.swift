/// Seeded permutations of `0 ..< count`, the same on every machine.
///
/// Permutation k of stream s is Fisher and Yates' shuffle of the identity: for i = count − 1, …, 1 it swaps the values
/// at i and j, the upper 64 bits of (i + 1) · x, where x is the next number of SplitMix64 (Steele, Lea & Flood 2014)
/// begun in the state mix(mix(mix(seed) ^ s) ^ k). That j is one of i + 1 places with a probability off by at most
/// (i + 1) / 2⁶⁴. Each permutation has a state of its own, so any thread can make any of them.
package struct RandomPermutations: Sendable {
  private let state: UInt64

  /// - Parameter stream: tells the permutations of one use from those of another.
  package init(seed: UInt64, stream: Int) {
    state = Self.mixed(Self.mixed(seed) ^ UInt64(truncatingIfNeeded: stream))
  }

  /// - Parameter permutation: overwritten with permutation `index`; its length says of what.
  package func fill(_ permutation: inout [Int32], index: Int) {
    var state = Self.mixed(state ^ UInt64(truncatingIfNeeded: index))
    for place in permutation.indices { permutation[place] = Int32(truncatingIfNeeded: place) }
    var last = permutation.count - 1
    while last > 0 {
      let number = Self.mixed(state)
      state &+= Self.increment
      let place = Int(UInt64(last + 1).multipliedFullWidth(by: number).high)
      permutation.swapAt(last, place)
      last -= 1
    }
  }

  private static var increment: UInt64 { 0x9E37_79B9_7F4A_7C15 }

  /// One step of SplitMix64 and its finalizer.
  private static func mixed(_ number: UInt64) -> UInt64 {
    var z = number &+ increment
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
