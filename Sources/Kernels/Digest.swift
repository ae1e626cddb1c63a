import CKernels

/// A 64-bit number that tells contents apart: for noticing that a file is another one, not against forgery.
///
/// Depends on the bytes and on how they were cut into calls, and on nothing else: not on the processor. About
/// the speed of the first-level cache.
public struct Digest: Sendable {
  private var lanes: [UInt64]

  public init() {
    lanes = (0..<UInt64(rk_digest_lanes)).map { Self.mixed($0 &+ 1) }
  }

  /// Takes in some bytes and their number.
  public mutating func absorb(_ bytes: UnsafeRawBufferPointer) {
    if let base = bytes.baseAddress { unsafe rk_digest(base, bytes.count, &lanes) }
    lanes[0] = Self.mixed(lanes[0] ^ UInt64(bytes.count))
  }

  /// Takes in the UTF-8 of a text.
  public mutating func absorb(_ text: String) {
    var text = text
    text.withUTF8 { unsafe absorb(UnsafeRawBufferPointer($0)) }
  }

  /// Takes in a number.
  public mutating func absorb(_ number: Int) {
    lanes[0] = Self.mixed(lanes[0] ^ UInt64(bitPattern: Int64(number)))
  }

  /// Of everything taken in so far.
  public var value: UInt64 {
    lanes.reduce(0) { Self.mixed($0 ^ $1) }
  }

  /// The finalizer of SplitMix64 (Steele, Lea & Flood 2014): a bijection that spreads every bit.
  private static func mixed(_ number: UInt64) -> UInt64 {
    var z = number &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
