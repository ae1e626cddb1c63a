/// Numbers of texts, by their bytes. A hash table with open addressing: every word of a text may ask it.
struct TextTable: Sendable {
  private var bytes: [UInt8] = []
  private var ends: [Int] = [0]  // of text i in `bytes`: ends[i] ..< ends[i + 1]
  private var numbers: [Int32] = []  // of text i
  private var places: [Int32]  // [a power of two] the text at each place, −1 for none
  // A file could be written to collide under a fixed hash; results do not depend on the seed.
  private let seed = UInt64.random(in: 0...UInt64.max)

  /// - Parameter count: the number of texts to hold; at most half of the places are taken by them.
  init(count: Int) {
    var capacity = 16
    while capacity < 2 * count { capacity *= 2 }
    places = Array(repeating: -1, count: capacity)
    numbers.reserveCapacity(count)
  }

  /// - Returns: the number that the text had before, which it has no longer.
  mutating func insert(_ text: Span<UInt8>, number: Int32) -> Int32? {
    let place = place(of: text)
    if places[place] >= 0 {
      let index = Int(places[place])
      defer { numbers[index] = number }
      return numbers[index]
    }
    places[place] = Int32(numbers.count)
    numbers.append(number)
    for index in 0..<text.count { bytes.append(text[index]) }
    ends.append(bytes.count)
    return nil
  }

  /// The number of a text, or nil.
  func number(of text: Span<UInt8>) -> Int32? {
    let index = places[place(of: text)]
    return index < 0 ? nil : numbers[Int(index)]
  }

  /// Where the text is, or would be.
  private func place(of text: Span<UInt8>) -> Int {
    let mask = places.count - 1
    var place = Int(truncatingIfNeeded: hash(text)) & mask
    while places[place] >= 0, !isText(Int(places[place]), text) { place = (place + 1) & mask }
    return place
  }

  private func isText(_ index: Int, _ text: Span<UInt8>) -> Bool {
    let start = ends[index]
    guard ends[index + 1] - start == text.count else { return false }
    for offset in 0..<text.count where bytes[start + offset] != text[offset] { return false }
    return true
  }

  /// Folded products, as in wyhash.
  private func hash(_ text: Span<UInt8>) -> UInt64 {
    var state = seed ^ UInt64(text.count)
    var position = 0
    while position < text.count {
      let product = (state ^ text.bytesToEnd(at: position)).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
      state = product.high ^ product.low ^ seed
      position += 8
    }
    return state ^ state >> 32
  }
}
