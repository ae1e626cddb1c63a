import Kernels
import Testing

@Suite struct AttentionTests {
  /// A cache of random keys and values, cut into pages.
  struct Cache {
    var keys: [[Float]]  // [tokens][G·K]
    var values: [[Float]]

    init(tokens: Int, width: Int, seed: UInt64) {
      var random = Random(seed: seed)
      keys = (0..<tokens).map { _ in random.floats(width, scale: 2) }
      values = (0..<tokens).map { _ in random.floats(width) }
    }

    func attend(
      _ q: [Float], lengths: [Int32], shape: AttentionShape, pageTokens: Int, groups: Range<Int>? = nil
    ) -> [Float] {
      let width = shape.entryWidth
      let pageCount = (keys.count + pageTokens - 1) / pageTokens
      let half = pageTokens * width
      var memory = [Float](repeating: .nan, count: max(pageCount, 1) * 2 * half)
      for token in keys.indices {
        let at = token / pageTokens * 2 * half + token % pageTokens * width
        memory.replaceSubrange(at..<at + width, with: keys[token])
        memory.replaceSubrange(at + half..<at + half + width, with: values[token])
      }
      let queryWidth = shape.headCount * shape.headWidth
      var out = [Float](repeating: 5, count: lengths.count * queryWidth)
      var scratch = [Float](repeating: .nan, count: shape.scratchCount(rows: lengths.count))
      unsafe memory.withUnsafeBufferPointer { memory in
        guard let base = memory.baseAddress else { return }
        let pages = unsafe (0..<max(pageCount, 1)).map { unsafe Optional(base + $0 * 2 * half) }
        unsafe pages.withUnsafeBufferPointer { pages in
          guard let pointers = pages.baseAddress else { return }
          unsafe Attention.attend(
            q, stride: queryWidth, rows: lengths.count, lengths: lengths,
            over: KeyValuePages(pages: pointers, pageTokens: pageTokens), shape: shape, groups: groups,
            scratch: &scratch, into: &out, stride: queryWidth)
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
    let out = cache.attend(q, lengths: [Int32(length)], shape: shape, pageTokens: 16)
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

  @Test(arguments: [(5, 1, 20), (6, 3, 64), (4, 4, 18)])
  func pagesCompanionsAndGroupsDoNotChangeABit(shape: (Int, Int, Int)) {
    let shape = AttentionShape(headCount: shape.0, groupCount: shape.1, headWidth: shape.2)
    let cache = Cache(tokens: 150, width: shape.entryWidth, seed: 4)
    let width = shape.headCount * shape.headWidth
    var random = Random(seed: 5)
    let lengths: [Int32] = [0, 1, 2, 63, 64, 65, 127, 128, 150, 3, 149]
    let q = random.floats(lengths.count * width, scale: 3)
    let alone = lengths.indices.flatMap {
      cache.attend(Array(q[$0 * width..<($0 + 1) * width]), lengths: [lengths[$0]], shape: shape, pageTokens: 1)
    }
    #expect(alone[..<width].allSatisfy { $0 == 0 })
    for pageTokens in [1, 2, 8, 16, 64, 256] {
      #expect(bits(cache.attend(q, lengths: lengths, shape: shape, pageTokens: pageTokens)) == bits(alone))
    }
    for group in 0..<shape.groupCount {
      let part = cache.attend(q, lengths: lengths, shape: shape, pageTokens: 16, groups: group..<group + 1)
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
    let out = cache.attend(random.floats(16, scale: 50), lengths: [200], shape: shape, pageTokens: 64)
    #expect(out.allSatisfy { $0.isFinite })
  }
}
