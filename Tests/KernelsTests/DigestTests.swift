import CKernels
import Kernels
import Testing

@Suite struct DigestTests {
  /// Lanes after some bytes, by plain Swift.
  static func twin(_ bytes: [UInt8], _ state: [UInt64]) -> [UInt64] {
    var lanes = state
    let padded = bytes + Array(repeating: 0, count: (128 - bytes.count % 128) % 128)
    for (index, start) in stride(from: 0, to: padded.count, by: 8).enumerated() {
      let word = (0..<8).reduce(UInt64(0)) { $0 | UInt64(padded[start + $1]) << UInt64(8 * $1) }
      let mixed = (lanes[index % 16] ^ word) &* 33
      lanes[index % 16] = (mixed << 27 | mixed >> 37) &* 513
    }
    return lanes
  }

  @Test(arguments: [0, 1, 7, 8, 127, 128, 129, 255, 256, 1000])
  func lanesMatchTheTwin(count: Int) {
    var random = Random(seed: UInt64(count))
    // At an odd address.
    let bytes = (0...count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    let start = (0..<16).map { _ in random.next() }
    var state = start
    unsafe bytes.withUnsafeBytes { unsafe rk_digest($0.baseAddress! + 1, count, &state) }
    #expect(state == Self.twin(Array(bytes[1...]), start))
  }

  static func digest(_ parts: [[UInt8]]) -> UInt64 {
    var digest = Digest()
    for part in parts { unsafe part.withUnsafeBytes { unsafe digest.absorb($0) } }
    return digest.value
  }

  @Test func everyBitAndEveryCutCounts() {
    var random = Random(seed: 1)
    var bytes = (0..<300).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    var seen: Set = [Self.digest([bytes]), Self.digest([bytes + [0]]), Self.digest([bytes, []])]
    #expect(seen.count == 3)
    for cut in 1..<300 { seen.insert(Self.digest([Array(bytes[..<cut]), Array(bytes[cut...])])) }
    for bit in 0..<2400 {
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      seen.insert(Self.digest([bytes]))
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    #expect(seen.count == 3 + 299 + 2400)
  }

  @Test func itIsTheSameEverywhere() {
    #expect(Self.digest([Array(0..<200)]) == 17_981_818_622_608_039_719)
  }
}
