import Glibc
import Kernels
import Testing

@Suite struct ActivationTests {
  static func twin(_ f: Activation, _ x: Float) -> Double {
    let x = Double(x)
    return switch f {
    case .silu: Twin.silu(x)
    case .gelu: Twin.gelu(x)
    case .geluTanh: Twin.geluTanh(x)
    case .relu: max(x, 0)
    case .tanh: tanh(x)
    case .sigmoid: 1 / (1 + exp(-x))
    }
  }

  @Test(arguments: Activation.allCases)
  func matchesTwinOnAGrid(f: Activation) {
    let x = (-4000...4000).map { Float($0) / 200 } + [-1e4, 1e4, 0, -0.0, 1e-20, -100, 100, -90, 90]
    var y = x
    unsafe f.apply(&y, stride: y.count, rows: 1, width: y.count)
    let expected = x.map { Self.twin(f, $0) }
    #expect(excess(y, expected, absolute: 2e-7, relative: 5e-7) <= 1)
  }

  @Test(arguments: Activation.allCases, tails)
  func gatedMatchesPlainAtEveryTail(f: Activation, width: Int) {
    var random = Random(seed: UInt64(width))
    let x = random.floats(2 * 2 * width, scale: 4)
    var out = [Float](repeating: 0, count: 2 * width)
    unsafe f.applyGated(x, stride: 2 * width, into: &out, stride: width, rows: 2, width: width)
    for row in 0..<2 {
      var gate = Array(x[row * 2 * width..<row * 2 * width + width])
      unsafe f.apply(&gate, stride: width, rows: 1, width: width)
      let up = x[row * 2 * width + width..<(row + 1) * 2 * width]
      #expect(bits(zip(gate, up).map { $0 * $1 }) == bits(out[row * width..<(row + 1) * width]), "seed \(width)")
    }
  }

  @Test(arguments: Activation.allCases)
  func notANumberStays(f: Activation) {
    var x: [Float] = [.nan, 1, .nan]
    unsafe f.apply(&x, stride: 3, rows: 1, width: 3)
    #expect(x[0].isNaN && x[2].isNaN && !x[1].isNaN)
  }

  @Test(arguments: Activation.allCases)
  func infinityHasItsLimit(f: Activation) {
    var x: [Float] = [.infinity]
    unsafe f.apply(&x, stride: 1, rows: 1, width: 1)
    let limit: Float = f == .tanh || f == .sigmoid ? 1 : .infinity
    #expect(x == [limit])
  }

  @Test(arguments: Activation.allCases)
  func anElementDoesNotDependOnItsPlace(f: Activation) {
    var random = Random(seed: 7)
    let x = random.floats(37, scale: 5)
    var whole = x
    unsafe f.apply(&whole, stride: 37, rows: 1, width: 37)
    for i in x.indices {
      var one = [x[i]]
      unsafe f.apply(&one, stride: 1, rows: 1, width: 1)
      #expect(one[0].bitPattern == whole[i].bitPattern)
    }
  }
}
