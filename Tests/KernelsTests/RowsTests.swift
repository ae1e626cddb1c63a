import Glibc
import Kernels
import Testing

@Suite struct RowsTests {
  @Test(arguments: tails)
  func dotMatchesTwin(count: Int) {
    var random = Random(seed: UInt64(count))
    let x = random.floats(count)
    let w = random.floats(count)
    let exact = zip(x, w).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    let magnitude = zip(x, w).reduce(0.0) { $0 + abs(Double($1.0) * Double($1.1)) }
    unsafe #expect(abs(Double(Rows.dot(x, w, count: count)) - exact) <= magnitude * 0x1p-23 * 8 + 1e-30, "seed \(count)")
  }

  @Test(arguments: tails)
  func addScale(count: Int) {
    var random = Random(seed: UInt64(count))
    let x = random.floats(2 * count)
    let y = random.floats(2 * count)
    var sum = x
    unsafe Rows.add(y, to: &sum, count: 2 * count)
    #expect(bits(sum) == bits(zip(x, y).map { $0 + $1 }))
    var scaled = x
    unsafe Rows.scale(&scaled, by: 0.3, count: 2 * count)
    #expect(bits(scaled) == bits(x.map { $0 * 0.3 }))
  }

  @Test(arguments: [1, 5, 16, 33])
  func gatherScatterAndGatedSum(width: Int) {
    var random = Random(seed: UInt64(width))
    let x = random.floats(6 * width)
    let indices: [Int32] = [4, 0, 5]
    var gathered = [Float](repeating: 0, count: 3 * width)
    unsafe Rows.gather(x, stride: width, indices: indices, into: &gathered, stride: width, rows: 3, width: width)
    var scattered = [Float](repeating: 0, count: 6 * width)
    unsafe Rows.scatter(gathered, stride: width, into: &scattered, stride: width, indices: indices, rows: 3, width: width)
    for row in 0..<6 {
      let expected = indices.contains(Int32(row)) ? Array(x[row * width..<(row + 1) * width]) : .init(repeating: 0, count: width)
      #expect(bits(scattered[row * width..<(row + 1) * width]) == bits(expected))
    }
    var plain = x
    unsafe Rows.scatterAdd(gathered, stride: width, gains: nil, to: &plain, stride: width, indices: indices, rows: 3, width: width)
    var gated = x
    let gains: [Float] = [0.25, -2, 0.5]
    unsafe Rows.scatterAdd(gathered, stride: width, gains: gains, to: &gated, stride: width, indices: indices, rows: 3, width: width)
    for (i, row) in indices.enumerated() {
      for column in 0..<width {
        let at = Int(row) * width + column
        #expect(plain[at] == x[at] + x[at])
        #expect(abs(Double(gated[at]) - Double(x[at]) * (1 + Double(gains[i]))) <= 2e-7)
      }
    }
  }

  @Test func meanIsSequential() {
    var random = Random(seed: 3)
    let x = random.floats(7 * 19)
    var out = [Float](repeating: 0, count: 19)
    unsafe Rows.mean(x, stride: 19, into: &out, rows: 7, width: 19)
    for column in 0..<19 {
      let sum = (0..<7).reduce(Float(0)) { $0 + x[$1 * 19 + column] }
      #expect(out[column] == sum / 7)
    }
  }

  @Test(arguments: [0, 1, 5, 255, 256, 257, 700])
  func firstNotFinite(count: Int) {
    var x = [Float](repeating: 1, count: count)
    unsafe #expect(Rows.firstNotFinite(x, count: count) == nil)
    for bad in [Float.nan, .infinity, -.infinity] where count > 0 {
      x[count - 1] = bad
      unsafe #expect(Rows.firstNotFinite(x, count: count) == count - 1)
    }
  }

  @Test(arguments: [2, 6, 16, 34, 64])
  func ropeMatchesTwin(width: Int) throws {
    let rope = try Rope(positionCount: 300, headWidth: width, theta: 10_000)
    var random = Random(seed: UInt64(width))
    let x = random.floats(2 * 3 * width)
    let positions: [Int32] = [0, 299]
    var y = x
    unsafe rope.rotate(&y, stride: 3 * width, positions: positions, rows: 2, heads: 3)
    #expect(bits(y[..<(3 * width)]) == bits(x[..<(3 * width)]))
    for head in 0..<3 {
      for i in 0..<width / 2 {
        let angle = 299 * pow(10_000, -2 * Double(i) / Double(width))
        let at = 3 * width + head * width + i
        let (a, b) = (Double(x[at]), Double(x[at + width / 2]))
        // The f32 angle is off by up to 299 · 2^-23.
        #expect(abs(Double(y[at]) - (a * cos(angle) - b * sin(angle))) < 1e-4)
        #expect(abs(Double(y[at + width / 2]) - (b * cos(angle) + a * sin(angle))) < 1e-4)
      }
    }
  }

  @Test func everyHalfConvertsExactly() {
    let all = (0...UInt16.max).map { $0 }
    var out = [Float](repeating: 0, count: all.count)
    unsafe Conversion.f16(all, to: &out, count: all.count)
    for (bits, value) in zip(all, out) {
      let exact = Float(Float16(bitPattern: bits))
      #expect(exact.isNaN ? value.isNaN : value.bitPattern == exact.bitPattern)
    }
    unsafe Conversion.bf16(all, to: &out, count: all.count)
    #expect(zip(all, out).allSatisfy { UInt32($0) << 16 == $1.bitPattern })
    var back = [UInt16](repeating: 0, count: all.count)
    unsafe Conversion.f32(out, toBF16: &back, count: all.count)
    #expect(zip(zip(all, back), out).allSatisfy { $1.isNaN || $0.0 == $0.1 })
  }

  @Test(arguments: tails)
  func int8RowsMatchTheTwin(count: Int) {
    var random = Random(seed: UInt64(count))
    // Ties: 127 sets the scale to 1.
    let ties = (0..<count).map { $0 == 0 ? 127 : Float($0 % 40) - 19.5 }
    var rows: [[Float]] = [.init(repeating: 0, count: count), ties]
    // The smallest scales are subnormal, or too small for f32.
    for magnitude: Float in [1, 0x1p-140, 0x1p-148, 0x1p126] {
      rows.append(random.floats(count).map { $0 * magnitude })
    }
    for x in rows {
      let fraction = (x.map(abs).max() ?? 0) / 127
      let scale: Float = fraction > 0 ? fraction : 1
      let expected = x.map { value -> Int8 in
        let quotient = (value / scale).rounded(.toNearestOrEven)
        return Int8(max(-127, min(127, quotient)))
      }
      var out = [Int8](repeating: 99, count: count + 1)
      var found: Float = 0
      unsafe Conversion.f32(x, toInt8: &out, scales: &found, groupCount: 1, count: count)
      #expect(found == scale, "seed \(count)")
      #expect(out == expected + [99], "seed \(count)")
    }
  }

  @Test func bf16RoundsToNearestEven() {
    let x: [Float] = [1 + 0x1p-8, 1 + 0x1p-8 + 0x1p-20, 1 + 3 * 0x1p-8, .nan, .greatestFiniteMagnitude]
    var out = [UInt16](repeating: 0, count: x.count)
    unsafe Conversion.f32(x, toBF16: &out, count: x.count)
    #expect(out[0] == 0x3F80 && out[1] == 0x3F81 && out[2] == 0x3F82 && out[4] == 0x7F80)
    #expect(Float(bitPattern: UInt32(out[3]) << 16).isNaN)
  }
}
