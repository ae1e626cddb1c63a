import Kernels
import Testing

@Suite struct AttentionTests {
  /// A cache of random keys and values. After the last entry the pages hold NaNs.
  struct Cache {
    var keys: [[Float]]  // [tokens][G·K]
    var values: [[Float]]

    init(tokens: Int, width: Int, seed: UInt64) {
      var random = Random(seed: seed)
      keys = (0..<tokens).map { _ in random.floats(width, scale: 2) }
      values = (0..<tokens).map { _ in random.floats(width) }
    }

    func attend(
      _ q: [Float], firsts: [Int32]? = nil, lengths: [Int32], shape: AttentionShape, groups: Range<Int>? = nil
    ) -> [Float] {
      let pageSize = shape.pageByteCount
      let pageCount = max(1, (keys.count + KeyValuePages.pageEntries - 1) / KeyValuePages.pageEntries)
      // The NaN of f32 and bf16, and of the scales of int8.
      var memory = [UInt8](repeating: 0xFF, count: pageCount * pageSize)
      let queryWidth = shape.headCount * shape.headWidth
      var out = [Float](repeating: 5, count: lengths.count * queryWidth)
      var scratch = [Float](repeating: .nan, count: shape.scratchCount(rows: lengths.count))
      unsafe memory.withUnsafeMutableBytes { memory in
        guard let base = memory.baseAddress else { return }
        for token in keys.indices {
          let (page, place) = token.quotientAndRemainder(dividingBy: KeyValuePages.pageEntries)
          unsafe KeyValuePages.store(
            key: keys[token], value: values[token], in: base + page * pageSize, place: place, shape: shape)
        }
        let pages = unsafe (0..<pageCount).map { unsafe Optional(UnsafeRawPointer(base + $0 * pageSize)) }
        unsafe pages.withUnsafeBufferPointer { pages in
          guard let pointers = pages.baseAddress else { return }
          unsafe Attention.attend(
            q, stride: queryWidth, rows: lengths.count, firsts: firsts, lengths: lengths,
            over: KeyValuePages(pages: pointers),
            shape: shape, groups: groups, scratch: &scratch, into: &out, stride: queryWidth)
        }
      }
      return out
    }
  }

  @Test(arguments: [(1, 1, 2), (3, 1, 6), (4, 2, 16), (6, 2, 34), (6, 3, 64), (2, 2, 128)], [1, 2, 15, 16, 63, 64, 65, 130])
  func matchesTwin(shape: (Int, Int, Int), length: Int) {
    let shape = AttentionShape(headCount: shape.0, groupCount: shape.1, headWidth: shape.2)
    let cache = Cache(tokens: length, width: shape.entryWidth, seed: UInt64(length))
    var random = Random(seed: 99)
    let q = random.floats(shape.headCount * shape.headWidth, scale: 3)
    let out = cache.attend(q, lengths: [Int32(length)], shape: shape)
    let K = shape.headWidth
    for head in 0..<shape.headCount {
      let group = head / (shape.headCount / shape.groupCount)
      let columns = group * K..<(group + 1) * K
      let expected = Twin.attention(
        Array(q[head * K..<(head + 1) * K]), cache.keys.map { Array($0[columns]) },
        cache.values.map { Array($0[columns]) }, scale: shape.scale)
      #expect(excess(Array(out[head * K..<(head + 1) * K]), expected, absolute: 3e-6, relative: 0) <= 1)
    }
  }

  static let ranges: [Range<Int>] = [
    0..<1, 1..<2, 31..<33, 5..<64, 63..<64, 63..<65, 64..<65, 1..<130, 65..<130, 96..<130, 127..<129, 129..<130,
  ]

  /// Entries before the first and after the last hold NaNs, which must not be seen.
  @Test(arguments: [(3, 1, 6), (4, 2, 16), (6, 3, 34)], ranges)
  func rangesMatchTwin(shape: (Int, Int, Int), range: Range<Int>) {
    let shape = AttentionShape(headCount: shape.0, groupCount: shape.1, headWidth: shape.2)
    var cache = Cache(tokens: 130, width: shape.entryWidth, seed: UInt64(range.lowerBound))
    let (keys, values) = (cache.keys, cache.values)
    let unseen = [Float](repeating: .nan, count: shape.entryWidth)
    for token in 0..<130 where !range.contains(token) { (cache.keys[token], cache.values[token]) = (unseen, unseen) }
    var random = Random(seed: 7)
    let q = random.floats(shape.headCount * shape.headWidth, scale: 3)
    let out = cache.attend(q, firsts: [Int32(range.lowerBound)], lengths: [Int32(range.upperBound)], shape: shape)
    let K = shape.headWidth
    for head in 0..<shape.headCount {
      let group = head / (shape.headCount / shape.groupCount)
      let columns = group * K..<(group + 1) * K
      let expected = Twin.attention(
        Array(q[head * K..<(head + 1) * K]), range.map { Array(keys[$0][columns]) },
        range.map { Array(values[$0][columns]) }, scale: shape.scale)
      #expect(excess(Array(out[head * K..<(head + 1) * K]), expected, absolute: 3e-6, relative: 0) <= 1)
    }
  }

  /// Rows with other ranges, with none, and with the same, in one call.
  @Test(arguments: [(5, 1, 20), (6, 3, 64)])
  func companionsWithRangesDoNotChangeABit(shape: (Int, Int, Int)) {
    let shape = AttentionShape(headCount: shape.0, groupCount: shape.1, headWidth: shape.2)
    let cache = Cache(tokens: 150, width: shape.entryWidth, seed: 6)
    let width = shape.headCount * shape.headWidth
    var random = Random(seed: 7)
    let firsts = Self.ranges.map { Int32($0.lowerBound) } + [140, 9, 0, 0]
    let lengths = Self.ranges.map { Int32($0.upperBound) } + [140, 3, 150, 0]
    let q = random.floats(lengths.count * width, scale: 3)
    let alone = lengths.indices.flatMap {
      cache.attend(
        Array(q[$0 * width..<($0 + 1) * width]), firsts: [firsts[$0]], lengths: [lengths[$0]], shape: shape)
    }
    #expect(bits(cache.attend(q, firsts: firsts, lengths: lengths, shape: shape)) == bits(alone))
    let whole = Self.ranges.count + 2
    let row = Array(q[whole * width..<(whole + 1) * width])
    #expect(bits(cache.attend(row, lengths: [150], shape: shape)) == bits(Array(alone[whole * width..<(whole + 1) * width])))
  }

  @Test(arguments: [(5, 1, 20), (6, 3, 64), (4, 4, 18)])
  func companionsAndGroupsDoNotChangeABit(shape: (Int, Int, Int)) {
    let shape = AttentionShape(headCount: shape.0, groupCount: shape.1, headWidth: shape.2)
    let cache = Cache(tokens: 150, width: shape.entryWidth, seed: 4)
    let width = shape.headCount * shape.headWidth
    var random = Random(seed: 5)
    let lengths: [Int32] = [0, 1, 2, 63, 64, 65, 127, 128, 150, 3, 149]
    let q = random.floats(lengths.count * width, scale: 3)
    let alone = lengths.indices.flatMap {
      cache.attend(Array(q[$0 * width..<($0 + 1) * width]), lengths: [lengths[$0]], shape: shape)
    }
    #expect(alone[..<width].allSatisfy { $0 == 0 })
    #expect(bits(cache.attend(q, lengths: lengths, shape: shape)) == bits(alone))
    for group in 0..<shape.groupCount {
      let part = cache.attend(q, lengths: lengths, shape: shape, groups: group..<group + 1)
      let perGroup = shape.headCount / shape.groupCount * shape.headWidth
      for row in lengths.indices {
        for column in 0..<width {
          let at = row * width + column
          #expect(part[at] == (column / perGroup == group ? alone[at] : 5))
        }
      }
    }
  }

  @Test func extremeScoresStayFinite() {
    let shape = AttentionShape(headCount: 1, groupCount: 1, headWidth: 16, scale: 100)
    let cache = Cache(tokens: 200, width: 16, seed: 8)
    var random = Random(seed: 9)
    let out = cache.attend(random.floats(16, scale: 50), lengths: [200], shape: shape)
    #expect(out.allSatisfy { $0.isFinite })
  }
}
