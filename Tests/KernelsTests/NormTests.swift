import Kernels
import Testing

@Suite struct NormTests {
  @Test(arguments: tails.dropFirst())
  func rmsMatchesTwin(width: Int) {
    var random = Random(seed: UInt64(width))
    let rows = 3
    let stride = width + 5
    let x = random.floats(rows * stride, scale: 3)
    let w = random.floats(width)
    var out = [Float](repeating: 9, count: rows * stride)
    unsafe Norm.rms(x, stride: stride, weight: w, epsilon: 1e-5, into: &out, stride: stride, rows: rows, width: width)
    for row in 0..<rows {
      let got = Array(out[row * stride..<row * stride + width])
      let expected = Twin.rmsNorm(Array(x[row * stride..<row * stride + width]), w, 1e-5)
      #expect(excess(got, expected, absolute: 0, relative: 5e-7) <= 1, "seed \(width)")
      #expect(out[row * stride + width..<(row + 1) * stride].allSatisfy { $0 == 9 })
    }
  }

  @Test(arguments: tails.dropFirst(), [true, false])
  func layerMatchesTwin(width: Int, hasBias: Bool) {
    var random = Random(seed: UInt64(width))
    let x = random.floats(width, scale: 3)
    let w = random.floats(width)
    let b = random.floats(width)
    var out = [Float](repeating: 0, count: width)
    unsafe Norm.layer(
      x, stride: width, weight: w, bias: hasBias ? b : nil, epsilon: 1e-5, into: &out, stride: width, rows: 1,
      width: width)
    // One element: variance 0, so eps magnifies what rounding leaves.
    #expect(
      excess(out, Twin.layerNorm(x, w, hasBias ? b : nil, 1e-5), absolute: 2e-6, relative: 2e-6) <= 1,
      "seed \(width)")
  }

  @Test func inPlaceEqualsOutOfPlace() {
    var random = Random(seed: 1)
    var x = random.floats(4 * 100)
    let w = random.floats(100)
    var out = x
    unsafe Norm.rms(x, stride: 100, weight: w, epsilon: 1e-5, into: &out, stride: 100, rows: 4, width: 100)
    unsafe x.withUnsafeMutableBufferPointer { buffer in
      guard let p = buffer.baseAddress else { return }
      unsafe Norm.rms(p, stride: 100, weight: w, epsilon: 1e-5, into: p, stride: 100, rows: 4, width: 100)
    }
    #expect(bits(x) == bits(out))
  }
}
