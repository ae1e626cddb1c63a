import Glibc

/// The kernels once more, in plain Swift and double precision.
enum Twin {
  static func rmsNorm(_ x: [Float], _ w: [Float], _ eps: Float) -> [Double] {
    let mean = x.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(x.count)
    return zip(x, w).map { Double($1) * Double($0) / (mean + Double(eps)).squareRoot() }
  }

  static func layerNorm(_ x: [Float], _ w: [Float], _ b: [Float]?, _ eps: Float) -> [Double] {
    let mean = x.reduce(0.0) { $0 + Double($1) } / Double(x.count)
    let variance = x.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(x.count)
    return x.indices.map {
      (Double(x[$0]) - mean) / (variance + Double(eps)).squareRoot() * Double(w[$0]) + Double(b?[$0] ?? 0)
    }
  }

  static func matmul(_ x: [Double], _ w: [Double], rows: Int, inputs: Int, outputs: Int) -> [Double] {
    var y = [Double](repeating: 0, count: rows * outputs)
    for r in 0..<rows {
      for o in 0..<outputs {
        var sum = 0.0
        for k in 0..<inputs { sum += x[r * inputs + k] * w[o * inputs + k] }
        y[r * outputs + o] = sum
      }
    }
    return y
  }

  /// Rounded to the nearest bfloat16, ties to even; finite numbers only.
  static func bf16(_ x: Float) -> Float {
    let kept = Float(bitPattern: x.bitPattern & 0xFFFF_0000)
    let next = Float(bitPattern: kept.bitPattern &+ 0x1_0000)
    let (below, above) = (abs(Double(x) - Double(kept)), abs(Double(next) - Double(x)))
    if below != above { return below < above ? kept : next }
    return kept.bitPattern & 0x1_0000 == 0 ? kept : next
  }

  /// One query head over `length` keys; keys and values [length, width].
  static func attention(_ q: [Float], _ keys: [[Float]], _ values: [[Float]], scale: Float) -> [Double] {
    let scores = keys.map { key in zip(q, key).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } * Double(scale) }
    let largest = scores.max() ?? 0
    let weights = scores.map { exp($0 - largest) }
    let sum = weights.reduce(0, +)
    var out = [Double](repeating: 0, count: q.count)
    for (weight, value) in zip(weights, values) {
      for i in out.indices { out[i] += weight / sum * Double(value[i]) }
    }
    return out
  }

  /// One head of DeBERTa's attention over rows q, k, v [T][K] with tables of distances [2P][K].
  static func disentangled(
    _ q: [[Float]], _ k: [[Float]], _ v: [[Float]], c2p: [[Float]]?, p2c: [[Float]]?, scale: Float,
    row: (_ distance: Int) -> Int
  ) -> [[Double]] {
    func dot(_ x: [Float], _ y: [Float]) -> Double { zip(x, y).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } }
    return q.indices.map { i in
      let scores = k.indices.map { j in
        let bucket = row(i - j)
        let distance = (c2p.map { dot(q[i], $0[bucket]) } ?? 0) + (p2c.map { dot(k[j], $0[bucket]) } ?? 0)
        return (dot(q[i], k[j]) + distance) * Double(scale)
      }
      let largest = scores.max() ?? 0
      let weights = scores.map { exp($0 - largest) }
      let sum = weights.reduce(0, +)
      return q[i].indices.map { c in zip(weights, v).reduce(0.0) { $0 + $1.0 / sum * Double($1.1[c]) } }
    }
  }

  static func logSumExp(_ x: [Float]) -> Double {
    let largest = Double(x.max() ?? 0)
    return largest + log(x.reduce(0.0) { $0 + exp(Double($1) - largest) })
  }
}

/// Widths around every vector width (4, 8, 16 lanes, unrolled by 4) and its tails.
let tails = Array(0...33) + [47, 63, 64, 65, 127, 128, 129, 160]

/// The largest |got − expected| / (absolute + relative · |expected|); at most 1 when within the bound.
func excess(_ got: [Float], _ expected: [Double], absolute: Double, relative: Double) -> Double {
  guard got.count == expected.count else { return .infinity }
  var worst = 0.0
  for (a, b) in zip(got, expected) {
    let error = abs(Double(a) - b)
    worst = error.isNaN ? .infinity : max(worst, error / (absolute + relative * abs(b)))
  }
  return worst
}

func bits(_ x: some Sequence<Float>) -> [UInt32] { x.map(\.bitPattern) }
