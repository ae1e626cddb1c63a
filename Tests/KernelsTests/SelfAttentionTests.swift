import Kernels
import Testing

@Suite(.enabled(if: SelfAttention.f32.isAvailable)) struct SelfAttentionTests {
  static let methods = SelfAttention.allCases.filter(\.isAvailable)

  /// One text: queries of several heads, keys and values of one, side by side with a gap after each token.
  struct Text {
    let heads: Int, width: Int, count: Int
    var rows: [Float]

    var stride: Int { (heads + 2) * width + 3 }

    init(heads: Int, width: Int, count: Int, seed: UInt64) {
      (self.heads, self.width, self.count) = (heads, width, count)
      var random = Random(seed: seed)
      rows = []
      for _ in 0..<count {
        rows += random.floats(heads * width, scale: 3) + random.floats(width, scale: 2) + random.floats(width)
        rows += [.nan, .nan, .nan]
      }
    }

    var scale: Float { 1 / Float(width).squareRoot() }
    func query(_ row: Int, _ head: Int) -> [Float] { numbers(row, head) }
    func key(_ row: Int) -> [Float] { numbers(row, heads) }
    func value(_ row: Int) -> [Float] { numbers(row, heads + 1) }
    private func numbers(_ row: Int, _ place: Int) -> [Float] {
      Array(rows[row * stride + place * width..<row * stride + (place + 1) * width])
    }

    /// Rows `range`, [rows, heads·K]; 7 in a column after each. What follows the scratch stays as it was.
    func attend(_ method: SelfAttention, _ range: Range<Int>, firsts: [Int32]? = nil, lengths: [Int32]) -> [Float] {
      let outStride = heads * width + 1
      var out = [Float](repeating: 7, count: range.count * outStride)
      let scratchCount = method.scratchCount(entries: count, headWidth: width)
      var scratch = [Float](repeating: .nan, count: scratchCount) + [5, 5, 5, 5]
      unsafe rows.withUnsafeBufferPointer { rows in
        guard let base = rows.baseAddress else { return }
        unsafe method.attend(
          base + range.lowerBound * stride, stride: stride, keys: base + heads * width, values: base + (heads + 1) * width,
          stride: stride, rows: range.count, firsts: firsts, lengths: lengths, heads: heads, headWidth: width, scale: scale,
          scratch: &scratch, into: &out, stride: outStride)
      }
      #expect(scratch[scratchCount...].allSatisfy { $0 == 5 })
      return out
    }
  }

  /// Widths around pairs and vectors of channels, counts around strips and tiles.
  static let shapes = [(1, 1), (2, 2), (1, 7), (3, 16), (2, 17), (1, 31), (2, 32), (1, 33), (2, 64), (1, 80), (1, 128)]

  /// Against exact sums of the rounded operands. In bf16 weights are rounded, too, by 2^-9 of each at most, and divided by the sum of
  /// the rounded ones: twice that, and what is left for exp and f32, of the mean of |value|.
  func check(_ method: SelfAttention, _ text: Text, reach: Int?) {
    let rounded = { (numbers: [Float]) in method == .bf16 ? numbers.map(Twin.bf16) : numbers }
    let tolerance = method == .bf16 ? 0x1.1p-8 : 0x1p-19
    let rows = 0..<text.count
    let seen = rows.map { row in
      reach.map { max(0, row - $0)..<min(text.count, row + $0 + 1) } ?? rows
    }
    let out = text.attend(
      method, rows, firsts: reach == nil ? nil : seen.map { Int32($0.lowerBound) }, lengths: seen.map { Int32($0.upperBound) })
    let keys = rows.map { rounded(text.key($0)) }
    let values = rows.map { rounded(text.value($0)) }
    for row in rows {
      #expect(out[(row + 1) * (text.heads * text.width + 1) - 1] == 7)
      for head in 0..<text.heads {
        let query = rounded(text.query(row, head))
        let (keys, values) = (Array(keys[seen[row]]), Array(values[seen[row]]))
        let expected = Twin.attention(query, keys, values, scale: text.scale)
        let sizes = Twin.attention(query, keys, values.map { $0.map(abs) }, scale: text.scale)
        let start = row * (text.heads * text.width + 1) + head * text.width
        for k in 0..<text.width {
          #expect(abs(Double(out[start + k]) - expected[k]) <= tolerance * sizes[k] + 1e-6, "row \(row), head \(head), \(k)")
        }
      }
    }
  }

  @Test(arguments: methods, shapes)
  func matchesTwin(method: SelfAttention, shape: (heads: Int, width: Int)) {
    for count in [1, 2, 8, 11, 12, 13, 15, 16, 17, 33, 50] {
      check(method, Text(heads: shape.heads, width: shape.width, count: count, seed: UInt64(count)), reach: nil)
    }
  }

  @Test(arguments: methods, [(2, 7), (1, 64)])
  func windowsMatchTwin(method: SelfAttention, shape: (heads: Int, width: Int)) {
    for reach in [0, 1, 5, 20] {
      check(method, Text(heads: shape.heads, width: shape.width, count: 70, seed: UInt64(reach)), reach: reach)
    }
  }

  /// Every row alone, and stretches of rows, give the bits of all together; with the same range, with windows, up to itself.
  @Test(arguments: methods, shapes)
  func companionsDoNotChangeABit(method: SelfAttention, shape: (heads: Int, width: Int)) {
    let text = Text(heads: shape.heads, width: shape.width, count: 61, seed: 3)
    let width = text.heads * text.width + 1
    for kind in 0..<3 {
      let firsts = kind == 1 ? (0..<61).map { Int32(max(0, $0 - 18)) } : nil
      let lengths = (0..<61).map { [61, Int32(min(61, $0 + 19)), Int32($0 + 1)][kind] }
      let whole = text.attend(method, 0..<61, firsts: firsts, lengths: lengths)
      for range in (0..<61).map({ $0..<$0 + 1 }) + [0..<32, 32..<61, 3..<16, 17..<50] {
        let part = text.attend(method, range, firsts: firsts.map { Array($0[range]) }, lengths: Array(lengths[range]))
        #expect(bits(part) == bits(whole[range.lowerBound * width..<range.upperBound * width]), "\(range)")
      }
    }
  }

  @Test(arguments: methods) func rowsWithoutEntriesAreZero(method: SelfAttention) {
    let text = Text(heads: 2, width: 20, count: 40, seed: 5)
    let out = text.attend(method, 0..<3, firsts: [0, 30, 12], lengths: [0, 30, 40])
    #expect(out[..<40].allSatisfy { $0 == 0 } && out[41..<81].allSatisfy { $0 == 0 })
    #expect(bits(out[82...]) == bits(text.attend(method, 2..<3, firsts: [12], lengths: [40])))
  }

  @Test(arguments: methods) func extremeScoresStayFinite(method: SelfAttention) {
    var text = Text(heads: 1, width: 16, count: 40, seed: 8)
    for index in text.rows.indices { text.rows[index] *= 300 }
    let out = text.attend(method, 0..<40, lengths: Array(repeating: 40, count: 40))
    #expect(out.allSatisfy { $0.isFinite })
  }

  /// What is not a number stays in the rows that see it, and makes them so.
  @Test(arguments: methods) func notANumberIsSeen(method: SelfAttention) {
    var text = Text(heads: 1, width: 16, count: 40, seed: 9)
    text.rows[20 * text.stride + text.width + 4] = .nan
    let out = text.attend(method, 0..<40, lengths: Array(repeating: 40, count: 40))
    #expect((0..<40).allSatisfy { row in out[row * 17..<row * 17 + 16].allSatisfy { $0.isNaN } })
    let before = text.attend(method, 0..<16, lengths: Array(repeating: 20, count: 16))
    #expect((0..<16).allSatisfy { row in before[row * 17..<row * 17 + 16].allSatisfy { $0.isFinite } })
  }
}
