import Kernels
import Testing

@Suite struct DisentangledAttentionTests {
  typealias Buckets = DisentangledAttention.Buckets

  @Test(arguments: [1, 2, 3, 15, 16, 17, 33, 70], [(4, 8, 0), (8, 16, 40), (6, 4, 12), (34, 32, 60)])
  func matchesTwin(_ T: Int, _ sizes: (width: Int, buckets: Int, longest: Int)) {
    let (K, buckets) = (sizes.width, Buckets(count: sizes.buckets, longest: sizes.longest))
    for kinds in [(true, true), (true, false), (false, true), (false, false)] {
      var random = Random(seed: UInt64(T * 100 + K))
      let stride = 3 * K + 5
      let rows = (0..<T).map { _ in random.floats(stride, scale: 2) }
      let tables = (0..<2).map { _ in (0..<2 * buckets.count).map { _ in random.floats(K + 3, scale: 2) } }
      let flat = rows.flatMap { $0 }, keyTable = tables[0].flatMap { $0 }, queryTable = tables[1].flatMap { $0 }
      var out = [Float](repeating: 7, count: T * (K + 1))
      var scratch = [Float](
        repeating: .nan, count: DisentangledAttention.scratchCount(tokenCount: T, headWidth: K, buckets: buckets))
      unsafe flat.withUnsafeBufferPointer { flat in
        unsafe keyTable.withUnsafeBufferPointer { keyTable in
          unsafe queryTable.withUnsafeBufferPointer { queryTable in
            guard let base = flat.baseAddress else { return }
            unsafe DisentangledAttention.attend(
              q: base, k: base + K, v: base + 2 * K, stride: stride, tokenCount: T, headWidth: K,
              keyDistances: kinds.0 ? keyTable.baseAddress : nil, queryDistances: kinds.1 ? queryTable.baseAddress : nil,
              distanceStride: K + 3, buckets: buckets.table(tokenCount: T), scale: 0.25, into: &out, stride: K + 1,
              scratch: &scratch)
          }
        }
      }
      func part(_ place: Int) -> [[Float]] { rows.map { Array($0[place * K..<(place + 1) * K]) } }
      let cut = tables.map { $0.map { Array($0[..<K]) } }
      let expected = Twin.disentangled(
        part(0), part(1), part(2), c2p: kinds.0 ? cut[0] : nil, p2c: kinds.1 ? cut[1] : nil, scale: 0.25,
        row: { buckets[$0] })
      for row in 0..<T {
        let found = Array(out[row * (K + 1)..<row * (K + 1) + K])
        #expect(excess(found, expected[row], absolute: 1e-5, relative: 0) <= 1)
        #expect(out[row * (K + 1) + K] == 7)
      }
    }
  }

  /// DeBERTa-v3's own buckets at the distances where rows begin: those of `transformers` 5.24 (`make_log_bucket_position`).
  @Test func bucketsOfLongDistances() {
    let buckets = Buckets(count: 256, longest: 512)
    let rows = [0: 256, 1: 257, -1: 255, 128: 384, 129: 385, 130: 386, 200: 425, 300: 463, 511: 511, 512: 511, 5000: 511]
    for (distance, row) in rows { #expect(buckets[distance] == row, "\(distance)") }
    #expect(buckets[-128] == 128 && buckets[-511] == 1 && buckets[-512] == 0 && buckets[-5000] == 0)
    let table = buckets.table(tokenCount: 700)
    #expect(table.count == 1399 && zip(table, table.dropFirst()).allSatisfy { $0 <= $1 })
    let plain = Buckets(count: 4, longest: 0)
    #expect((-6...6).map { plain[$0] } == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 7])
  }
}
