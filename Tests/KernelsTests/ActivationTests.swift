import Glibc
import Kernels
import Testing

@Suite struct ActivationTests {
  static let twins: [String: @Sendable (Double) -> Double] = [
    "silu": { x in x / (1 + exp(-x)) },
    "gelu": { x in 0.5 * x * (1 + erf(x * 0.5.squareRoot())) },
    "gelu_tanh": { x in 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x))) },
    "relu": { x in max(x, 0) },
    "relu2": { x in max(x, 0) * max(x, 0) },
    "tanh": { x in tanh(x) },
    "sigmoid": { x in 1 / (1 + exp(-x)) },
  ]

  static func twin(_ f: Activation, _ x: [Float]) throws -> [Double] {
    let twin = try #require(twins[f.rawValue], "\(f.rawValue) has no twin")
    return x.map { twin(Double($0)) }
  }

  @Test func everyNameIsReadOnce() {
    #expect(Activation.allCases.map(\.rawValue).sorted() == Self.twins.keys.sorted())
    #expect(Activation.allCases.allSatisfy { Activation(rawValue: $0.rawValue) == $0 })
    #expect(Activation(rawValue: "swish") == nil)
  }

  @Test(arguments: Activation.allCases)
  func matchesTwinOnAGrid(f: Activation) throws {
    let x = (-4000...4000).map { Float($0) / 200 } + [-1e4, 1e4, 0, -0.0, 1e-20, -100, 100, -90, 90]
    var y = x
    unsafe f.apply(&y, stride: y.count, rows: 1, width: y.count)
    #expect(excess(y, try Self.twin(f, x), absolute: 2e-7, relative: 5e-7) <= 1)
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
  func infinityHasItsLimit(f: Activation) throws {
    var x: [Float] = [.infinity]
    unsafe f.apply(&x, stride: 1, rows: 1, width: 1)
    #expect(x.map(Double.init) == (try Self.twin(f, [.infinity])))
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
