/// The rule of q4 weights in plain Swift, sum by sum as docs/format.md has it.
extension Twin {
  static func half(_ value: Float) -> Float { max(-65504, min(65504, Float(Float16(value)))) }

  /// Of 32 numbers.
  static func q4Scale(_ x: [Float]) -> Float {
    let magnitude = x.map(abs).max() ?? 0
    guard magnitude > 0, let most = x.first(where: { abs($0) == magnitude }) else { return 1 }
    var scale = most / -8
    if magnitude > 0x1p-40, magnitude < 0x1p40 {
      var best: Float = 0
      for step in 0..<12 {
        for sign: Float in [-1, 1] {
          let (products, squares) = sums(x, divisor: sign * most / (6.8 + 0.2 * Float(step)))
          guard squares > 0 else { continue }
          let slope = products / squares
          if slope * products > best { (best, scale) = (slope * products, slope) }
        }
      }
    }
    let rounded = half(scale)
    return rounded == 0 ? (rounded.sign == .minus ? -0x1p-24 : 0x1p-24) : rounded
  }

  /// Σ w·q and Σ q² of the rounded quotients: eight sums of every eighth number, then by halves.
  private static func sums(_ x: [Float], divisor: Float) -> (products: Float, squares: Float) {
    let q = x.map { max(-8, min(7, $0 * (1 / divisor))).rounded(.toNearestOrEven) }
    func sum(_ terms: [Float]) -> Float {
      var lanes = [Float](repeating: 0, count: 8)
      for (index, term) in terms.enumerated() { lanes[index % 8] += term }
      let pairs = (0..<4).map { lanes[$0] + lanes[$0 + 4] }
      return (pairs[0] + pairs[2]) + (pairs[1] + pairs[3])
    }
    return (sum(zip(x, q).map { $0 * $1 }), sum(q.map { $0 * $0 }))
  }
}
