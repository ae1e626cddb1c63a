import Kernels
import Tensors

/// Rounds the rows of a matrix so that what is lost in one column is made up for in those after it, for the inputs that a
/// text brings: GPTQ (Frantar et al. 2023) within blocks of channels, with the scales of `docs/format.md`.
struct CalibratedRounding {
  /// Of the mean of the diagonal, added to it: the method's own choice for int8. Four bits leave more to make up for, and what
  /// a short text says of it is believed too much: error of all-MiniLM-L6-v2's scores .190 with .001, .146 with .01, .137 with .05.
  private static func damping(_ dataType: DataType) -> Double { dataType == .q4 ? 0.05 : 0.01 }

  private struct Block {
    let start, width: Int
    /// U [w, w], upper triangular, of H⁻¹ = Uᵀ U, row-major; each row divided by its diagonal.
    let factor: [Double]
  }
  private let blocks: [Block]
  private let inputs, groupWidth: Int
  private let dataType: DataType

  /// - Parameters:
  ///   - balance: [inputs], what the channels are multiplied by; empty for nothing.
  ///   - dataType: int8 or q4.
  init(_ statistics: InputStatistics, balance: [Float], dataType: DataType) {
    self.dataType = dataType
    let damping = Self.damping(dataType)
    inputs = statistics.inputs
    groupWidth = statistics.inputs / PackedMatrix.groupCount(inputs: statistics.inputs)
    blocks = (0..<statistics.blockCount).map { index in
      var (width, values) = statistics.products(block: index)
      let start = index * statistics.blockWidth
      for row in 0..<width where !balance.isEmpty {
        for column in 0..<width {
          values[row * width + column] *= Double(balance[start + row]) * Double(balance[start + column])
        }
      }
      return Block(start: start, width: width, factor: Self.factor(&values, width, damping))
    }
  }

  /// H = M Mᵀ with M upper triangular, from the last column to the first; U = M⁻¹. Unity where H is not positive.
  private static func factor(_ h: inout [Double], _ n: Int, _ damping: Double) -> [Double] {
    let mean = (0..<n).reduce(0) { $0 + h[$1 * n + $1] } / Double(n)
    var inverse = [Double](repeating: 0, count: n * n)
    for i in 0..<n { inverse[i * n + i] = 1 }
    guard mean > 0, mean.isFinite else { return inverse }
    for i in 0..<n { h[i * n + i] += damping * mean }
    // Column by column from the right: what is left of H above is reduced by the outer product.
    for k in stride(from: n - 1, through: 0, by: -1) {
      guard h[k * n + k] > 0 else { return inverse }
      let root = h[k * n + k].squareRoot()
      for i in 0...k { h[i * n + k] /= root }
      for i in 0..<k {
        let value = h[i * n + k]
        for j in 0...i { h[j * n + i] -= h[j * n + k] * value }
      }
    }
    // M U = 1, row by row from the last.
    for i in stride(from: n - 1, through: 0, by: -1) {
      let own = 1 / h[i * n + i]
      for j in i..<n { inverse[i * n + j] = (i == j ? own : 0) }
      for k in (i + 1)..<max(n, i + 1) {
        let value = h[i * n + k] * own
        guard value != 0 else { continue }
        for j in k..<n { inverse[i * n + j] -= value * inverse[k * n + j] }
      }
    }
    for i in 0..<n {
      let own = inverse[i * n + i]
      for j in i..<n { inverse[i * n + j] /= own }
    }
    return inverse
  }

  /// One row.
  ///
  /// - Parameters:
  ///   - x: [inputs], balanced; overwritten by what is left to be made up for.
  ///   - scales: [groups].
  @unsafe
  func round(_ x: UnsafeMutablePointer<Float>, to out: UnsafeMutablePointer<Int8>, scales: UnsafeMutablePointer<Float>) {
    let (least, greatest): (Float, Float) = dataType == .q4 ? (-8, 7) : (-127, 127)
    for block in blocks {
      let values = unsafe x + block.start
      for k in 0..<block.width {
        let place = block.start + k
        if place % groupWidth == 0 {
          unsafe scales[place / groupWidth] = scale(values + k, count: min(groupWidth, inputs - place))
        }
        let scale = unsafe scales[place / groupWidth]
        let number = unsafe max(least, min(greatest, (values[k] / scale).rounded(.toNearestOrEven)))
        unsafe out[place] = Int8(number)
        let error = unsafe Double(values[k] - number * scale)
        guard error != 0 else { continue }
        unsafe block.factor.withUnsafeBufferPointer { factor in
          for j in (k + 1)..<max(block.width, k + 1) {
            unsafe values[j] -= Float(error * factor[k * block.width + j])
          }
        }
      }
    }
  }

  /// Of the numbers of a group as they are now.
  @unsafe
  private func scale(_ values: UnsafePointer<Float>, count: Int) -> Float {
    if dataType == .q4 { return unsafe Conversion.q4Scale(values) }
    let most = (0..<count).reduce(Float(0)) { unsafe max($0, abs(values[$1])) }
    return most / 127 > 0 ? most / 127 : 1
  }
}
