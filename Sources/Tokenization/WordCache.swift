/// The tokens of words met before: a table of fixed size in which a newer word takes an older's place.
struct WordCache {
  /// Longer words are not kept: 31 bytes and their number fill a key of 32, and hold a word of ten
  /// characters in most scripts.
  static let maximumByteCount = 31
  /// A short word has few tokens; with its key the place takes two cache lines.
  static let maximumTokenCount = 15
  /// 16 384 places, 1.6 MB: a cache that misses one English word in 20 and fits in second-level cache.
  private static let placeBits = 14

  typealias Key = SIMD4<UInt64>

  private var keys = [Key](repeating: .zero, count: 1 << placeBits)  // zero: no word has length 0
  private var tokens = [Int32](repeating: 0, count: (maximumTokenCount + 1) << placeBits)  // [place, count and tokens]

  /// The word's bytes, its length and the variant in the last byte.
  static func key(of word: Span<UInt8>, variant: Bool = false) -> Key? {
    guard word.count <= maximumByteCount else { return nil }
    var key = Key.zero
    for index in 0..<word.count { key[index >> 3] |= UInt64(word[index]) << UInt64((index & 7) * 8) }
    key[3] |= UInt64(word.count | (variant ? 0x80 : 0)) << 56
    return key
  }

  /// Appends the word's tokens, if they are known.
  func append(_ key: Key, to tokens: inout [Int32]) -> Bool {
    let place = Self.place(of: key)
    guard keys[place] == key else { return false }
    let start = place * (Self.maximumTokenCount + 1)
    let count = Int(self.tokens[start])
    for index in start + 1..<start + 1 + count { tokens.append(self.tokens[index]) }
    return true
  }

  /// Keeps a word's tokens, unless they are too many.
  mutating func insert(_ key: Key, tokens word: ArraySlice<Int32>) {
    guard word.count <= Self.maximumTokenCount else { return }
    let place = Self.place(of: key)
    keys[place] = key
    var index = place * (Self.maximumTokenCount + 1)
    tokens[index] = Int32(word.count)
    for token in word {
      index += 1
      tokens[index] = token
    }
  }

  private static func place(of key: Key) -> Int {
    // Sums of products with odd constants; the upper bits of a product depend on all of its factor.
    let product = key &* Key(0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x27D4_EB2F_1656_67C5)
    let sum = product[0] ^ (product[1] &* 3) ^ (product[2] &* 5) ^ (product[3] &* 7)
    return Int(((sum ^ sum >> 29) &* 0x9E37_79B9_7F4A_7C15) >> UInt64(64 - placeBits))
  }
}
