import Kernels
import Testing

@Suite(.enabled(if: BF16Attention.isAvailable)) struct BF16AttentionTests {
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
    func attend(_ range: Range<Int>, firsts: [Int32]? = nil, lengths: [Int32]) -> [Float] {
      let outStride = heads * width + 1
      var out = [Float](repeating: 7, count: range.count * outStride)
      let scratchCount = BF16Attention.scratchCount(entries: count, headWidth: width)
      var scratch = [Float](repeating: .nan, count: scratchCount) + [5, 5, 5, 5]
      unsafe rows.withUnsafeBufferPointer { rows in
        guard let base = rows.baseAddress else { return }
        unsafe BF16Attention.attend(
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

  /// Against exact sums of the rounded operands. Weights are rounded, too, by 2^-9 of each at most, and divided by the sum of the
  /// rounded ones: twice that, and what is left for exp and f32, of the mean of |value|.
  func check(_ text: Text, reach: Int?) {
    let rows = 0..<text.count
    let seen = rows.map { row in
      reach.map { max(0, row - $0)..<min(text.count, row + $0 + 1) } ?? rows
    }
    let out = text.attend(
      rows, firsts: reach == nil ? nil : seen.map { Int32($0.lowerBound) }, lengths: seen.map { Int32($0.upperBound) })
    let keys = rows.map { text.key($0).map(Twin.bf16) }
    let values = rows.map { text.value($0).map(Twin.bf16) }
    for row in rows {
      #expect(out[(row + 1) * (text.heads * text.width + 1) - 1] == 7)
      for head in 0..<text.heads {
        let query = text.query(row, head).map(Twin.bf16)
        let (keys, values) = (Array(keys[seen[row]]), Array(values[seen[row]]))
        let expected = Twin.attention(query, keys, values, scale: text.scale)
        let sizes = Twin.attention(query, keys, values.map { $0.map(abs) }, scale: text.scale)
        let start = row * (text.heads * text.width + 1) + head * text.width
        for k in 0..<text.width {
          #expect(abs(Double(out[start + k]) - expected[k]) <= 0x1.1p-8 * sizes[k] + 1e-6, "row \(row), head \(head), \(k)")
        }
      }
    }
  }

  @Test(arguments: shapes, [1, 2, 8, 15, 16, 17, 33, 50])
  func matchesTwin(shape: (heads: Int, width: Int), count: Int) {
    check(Text(heads: shape.heads, width: shape.width, count: count, seed: UInt64(count)), reach: nil)
  }

  @Test(arguments: [(2, 7), (1, 64)], [0, 1, 5, 20])
  func windowsMatchTwin(shape: (heads: Int, width: Int), reach: Int) {
    check(Text(heads: shape.heads, width: shape.width, count: 70, seed: UInt64(reach)), reach: reach)
  }

  /// Every row alone, and stretches of rows, give the bits of all together; with the same range, with windows, up to itself.
  @Test(arguments: shapes, [0, 1, 2])
  func companionsDoNotChangeABit(shape: (heads: Int, width: Int), kind: Int) {
    let text = Text(heads: shape.heads, width: shape.width, count: 61, seed: 3)
    let width = text.heads * text.width + 1
    let firsts = kind == 1 ? (0..<61).map { Int32(max(0, $0 - 18)) } : nil
    let lengths = (0..<61).map { [61, Int32(min(61, $0 + 19)), Int32($0 + 1)][kind] }
    let whole = text.attend(0..<61, firsts: firsts, lengths: lengths)
    for range in (0..<61).map({ $0..<$0 + 1 }) + [0..<32, 32..<61, 3..<16, 17..<50] {
      let part = text.attend(range, firsts: firsts.map { Array($0[range]) }, lengths: Array(lengths[range]))
      #expect(bits(part) == bits(whole[range.lowerBound * width..<range.upperBound * width]), "\(range)")
    }
  }

  @Test func rowsWithoutEntriesAreZero() {
    let text = Text(heads: 2, width: 20, count: 40, seed: 5)
    let out = text.attend(0..<3, firsts: [0, 30, 12], lengths: [0, 30, 40])
    #expect(out[..<40].allSatisfy { $0 == 0 } && out[41..<81].allSatisfy { $0 == 0 })
    #expect(bits(out[82...]) == bits(text.attend(2..<3, firsts: [12], lengths: [40])))
  }

  @Test func extremeScoresStayFinite() {
    var text = Text(heads: 1, width: 16, count: 40, seed: 8)
    for index in text.rows.indices { text.rows[index] *= 300 }
    let out = text.attend(0..<40, lengths: Array(repeating: 40, count: 40))
    #expect(out.allSatisfy { $0.isFinite })
  }

  /// What is not a number stays in the rows that see it, and makes them so.
  @Test func notANumberIsSeen() {
    var text = Text(heads: 1, width: 16, count: 40, seed: 9)
    text.rows[20 * text.stride + text.width + 4] = .nan
    let out = text.attend(0..<40, lengths: Array(repeating: 40, count: 40))
    #expect((0..<40).allSatisfy { row in out[row * 17..<row * 17 + 16].allSatisfy { $0.isNaN } })
    let before = text.attend(0..<16, lengths: Array(repeating: 20, count: 16))
    #expect((0..<16).allSatisfy { row in before[row * 17..<row * 17 + 16].allSatisfy { $0.isFinite } })
  }
}
