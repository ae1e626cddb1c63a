import Kernels
import Testing

/// Pages of all types: what they keep, and attention over it.
@Suite struct KeyValuePagesTests {
  /// Key or value of one token, [G·K], as a page keeps it, by plain Swift.
  static func rounded(_ x: [Float], _ shape: AttentionShape) -> [Float] {
    switch shape.cacheType {
    case .f32: return x
    case .bf16: return x.map(Twin.bf16)
    case .int8:
      return stride(from: 0, to: x.count, by: shape.headWidth).flatMap { head in
        stride(from: head, to: head + shape.headWidth, by: 32).flatMap { start in
          let group = Array(x[start..<min(start + 32, head + shape.headWidth)])
          let row = Int8Row(activations: group, groupCount: 1)
          return row.numbers.map { Float($0) * row.scales[0] }
        }
      }
    }
  }

  /// What `read` gives of a key or a value, as numbers.
  static func numbers(_ bytes: [UInt8], _ shape: AttentionShape) -> [Float] {
    func load<Element>(_ type: Element.Type, at offset: Int) -> Element {
      unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: type) }
    }
    let width = shape.entryWidth
    return (0..<width).map { index in
      switch shape.cacheType {
      case .f32: return load(Float.self, at: 4 * index)
      case .bf16: return Float(bitPattern: UInt32(load(UInt16.self, at: 2 * index)) << 16)
      case .int8:
        let (head, channel) = index.quotientAndRemainder(dividingBy: shape.headWidth)
        let groups = (shape.headWidth + 31) / 32
        return Float(load(Int8.self, at: index)) * load(Float.self, at: width + 4 * (head * groups + channel / 32))
      }
    }
  }

  static let shapes: [(Int, Int, Int)] = [(1, 1, 1), (6, 3, 10), (4, 2, 32), (2, 2, 33), (6, 2, 64), (4, 1, 80), (2, 1, 130)]

  static func shape(_ sizes: (Int, Int, Int), _ type: CacheType) -> AttentionShape {
    AttentionShape(headCount: sizes.0, groupCount: sizes.1, headWidth: sizes.2, cacheType: type)
  }

  @Test(arguments: shapes, CacheType.allCases)
  func entriesComeBackRounded(sizes: (Int, Int, Int), type: CacheType) {
    let shape = Self.shape(sizes, type)
    let cache = AttentionTests.Cache(tokens: 5, width: shape.entryWidth, seed: 1)
    var page = [UInt8](repeating: 0, count: shape.pageByteCount)
    var other = [UInt8](repeating: 0xAA, count: shape.pageByteCount)
    var again = other
    for token in 0..<5 {
      unsafe KeyValuePages.store(key: cache.keys[token], value: cache.values[token], in: &page, place: token * 7, shape: shape)
    }
    for token in 0..<5 {
      var (key, value) = ([UInt8](repeating: 0, count: shape.entryByteCount), [UInt8](repeating: 0, count: shape.entryByteCount))
      unsafe KeyValuePages.read(key: &key, value: &value, from: page, place: token * 7, shape: shape)
      #expect(bits(Self.numbers(key, shape)) == bits(Self.rounded(cache.keys[token], shape)))
      #expect(bits(Self.numbers(value, shape)) == bits(Self.rounded(cache.values[token], shape)))
      unsafe KeyValuePages.copy(from: page, to: &other, place: token * 7, shape: shape)
      unsafe KeyValuePages.write(key: key, value: value, in: &again, place: token * 7, shape: shape)
    }
    #expect(other == again, "an entry that is copied, and one that is read and written")
  }

  /// The same bits as over f32 pages that hold the rounded keys and values: with companions, ranges and groups, whose own laws
  /// `AttentionTests` has.
  @Test(arguments: shapes, [CacheType.bf16, .int8])
  func attentionIsThatOfRoundedEntries(sizes: (Int, Int, Int), type: CacheType) {
    let shape = Self.shape(sizes, type)
    let cache = AttentionTests.Cache(tokens: 150, width: shape.entryWidth, seed: 3)
    var roundedCache = cache
    roundedCache.keys = cache.keys.map { Self.rounded($0, shape) }
    roundedCache.values = cache.values.map { Self.rounded($0, shape) }
    var wide = shape
    wide.cacheType = .f32
    var random = Random(seed: 7)
    let firsts = AttentionTests.ranges.map { Int32($0.lowerBound) } + [0, 140, 9, 0, 0]
    let lengths = AttentionTests.ranges.map { Int32($0.upperBound) } + [149, 140, 3, 150, 0]
    let q = random.floats(lengths.count * shape.headCount * shape.headWidth, scale: 3)
    let out = cache.attend(q, firsts: firsts, lengths: lengths, shape: shape)
    #expect(bits(out) == bits(roundedCache.attend(q, firsts: firsts, lengths: lengths, shape: wide)))
    let width = shape.headCount * shape.headWidth
    for row in lengths.indices {
      let alone = cache.attend(
        Array(q[row * width..<(row + 1) * width]), firsts: [firsts[row]], lengths: [lengths[row]], shape: shape)
      #expect(bits(alone) == bits(Array(out[row * width..<(row + 1) * width])), "row \(row) alone")
    }
  }

  @Test(arguments: CacheType.allCases, [Float.nan, .infinity, -.infinity])
  func whatIsNotFiniteShows(type: CacheType, value: Float) {
    let shape = Self.shape((2, 2, 40), type)
    var cache = AttentionTests.Cache(tokens: 3, width: shape.entryWidth, seed: 2)
    cache.values[1][45] = value
    let out = cache.attend([Float](repeating: 1, count: 80), lengths: [3], shape: shape)
    #expect(out[..<40].allSatisfy(\.isFinite) && !out[45].isFinite)
  }

  @Test(arguments: [Float(0), .leastNonzeroMagnitude, 1e-38, 3e38])
  func verySmallAndLargeNumbersAreKept(most: Float) {
    let shape = Self.shape((1, 1, 20), .int8)
    var key = [Float](repeating: 0, count: 20)
    key[3] = most
    key[4] = -most / 2
    var page = [UInt8](repeating: 0, count: shape.pageByteCount)
    unsafe KeyValuePages.store(key: key, value: key, in: &page, place: 31, shape: shape)
    var (back, value) = ([UInt8](repeating: 0, count: shape.entryByteCount), [UInt8](repeating: 0, count: shape.entryByteCount))
    unsafe KeyValuePages.read(key: &back, value: &value, from: page, place: 31, shape: shape)
    for (one, other) in zip(Self.numbers(back, shape), key) { #expect(abs(one - other) <= max(most / 250, 0x1p-100)) }
  }
}
