/// The tokens of words met before: a table of fixed size in which a newer word takes an older's place.
struct WordCache {
  /// Longer words are not kept: 31 bytes and their number fill a key of 32, and hold a word of ten
  /// characters in most scripts.
  static let maximumByteCount = 31
  /// A short word has few tokens; with its key the place takes two cache lines.
  static let maximumTokenCount = 15
  /// 16 384 places, 1.6 MB: a cache that misses one English word in 20 and fits in second-level cache.
  private static let placeBits = 14

  private typealias Key = SIMD4<UInt64>

  private var keys = [Key](repeating: .zero, count: 1 << placeBits)  // zero: no word has length 0
  private var tokens = [Int32](repeating: 0, count: (maximumTokenCount + 1) << placeBits)  // [place, count and tokens]

  /// Appends what `encode` appends for `word`, or did the last time.
  ///
  /// - Parameter variant: words of another variant are other words.
  @inline(__always)
  mutating func append(
    _ word: Span<UInt8>, variant: Bool = false, to output: inout [Int32], _ encode: (inout [Int32]) -> Void
  ) {
    guard let key = Self.key(of: word, variant: variant) else { return encode(&output) }
    let place = Self.place(of: key)
    if append(key, at: place, to: &output) { return }
    let start = output.count
    encode(&output)
    insert(key, at: place, tokens: output, from: start)
  }

  /// The word's bytes, its length and the variant in the last byte.
  private static func key(of word: Span<UInt8>, variant: Bool) -> Key? {
    guard word.count <= maximumByteCount else { return nil }
    let length = UInt64(word.count | (variant ? 0x80 : 0)) << 56
    return Key(
      word.bytesToEnd(at: 0), word.bytesToEnd(at: 8), word.bytesToEnd(at: 16), word.bytesToEnd(at: 24) | length)
  }

  /// Appends the word's tokens, if they are known.
  private func append(_ key: Key, at place: Int, to tokens: inout [Int32]) -> Bool {
    guard keys[place] == key else { return false }
    let start = place * (Self.maximumTokenCount + 1)
    let count = Int(self.tokens[start])
    for index in start + 1..<start + 1 + count { tokens.append(self.tokens[index]) }
    return true
  }

  /// Keeps a word's tokens, those from `first` on, unless they are too many.
  private mutating func insert(_ key: Key, at place: Int, tokens word: [Int32], from first: Int) {
    let count = word.count - first
    guard count <= Self.maximumTokenCount else { return }
    keys[place] = key
    let start = place * (Self.maximumTokenCount + 1)
    tokens[start] = Int32(count)
    for index in 0..<count { tokens[start + 1 + index] = word[first + index] }
  }

  private static func place(of key: Key) -> Int {
    // Sums of products with odd constants; the upper bits of a product depend on all of its factor.
    let product = key &* Key(0x9E37_79B9_7F4A_7C15, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x27D4_EB2F_1656_67C5)
    let sum = product[0] ^ (product[1] &* 3) ^ (product[2] &* 5) ^ (product[3] &* 7)
    return Int(((sum ^ sum >> 29) &* 0x9E37_79B9_7F4A_7C15) >> UInt64(64 - placeBits))
  }
}
