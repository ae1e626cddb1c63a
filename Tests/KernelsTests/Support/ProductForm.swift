import Kernels
import Tensors
import Testing

/// The ways to compute a product that this processor has.
enum ProductForm: String, CaseIterable, CustomTestStringConvertible {
  case f32, widening, native, int8

  static var available: [ProductForm] { allCases.filter { $0 != .native || BF16Method.native.isAvailable } }

  var testDescription: String { rawValue }
  var method: BF16Method { self == .native ? .native : .widening }
  var dataType: DataType {
    switch self {
    case .f32: .f32
    case .widening, .native: .bf16
    case .int8: .int8
    }
  }

  func pack(_ weights: [Float], inputs: Int, outputs: Int) throws -> PackedMatrix {
    try unsafe PackedMatrix(inputs: inputs, outputs: outputs, from: weights, dataType: dataType, method: method)
  }

  /// What the product should be, [rows, outputs], from rounded operands and exact sums.
  func expected(_ x: [Float], _ weights: [Float], rows: Int, inputs: Int, outputs: Int) -> [Double] {
    let (x, weights) =
      switch self {
      case .f32: (x.map(Double.init), weights.map(Double.init))
      case .widening: (x.map(Double.init), weights.map { Double(Twin.bf16($0)) })
      case .native: (x.map { Double(Twin.bf16($0)) }, weights.map { Double(Twin.bf16($0)) })
      case .int8:
        (
          Int8Row.rows(x, width: inputs, Int8Row.init(activations:)).flatMap(\.values),
          Int8Row.rows(weights, width: inputs, Int8Row.init(weights:)).flatMap(\.values)
        )
      }
    return Twin.matmul(x, weights, rows: rows, inputs: inputs, outputs: outputs)
  }
}

/// A row made int8, by plain Swift.
struct Int8Row {
  var scale: Float
  var numbers: [Int8]

  var values: [Double] { numbers.map { Double($0) * Double(scale) } }

  init(weights x: [Float]) {
    let fraction = (x.map(abs).max() ?? 0) / 127
    let scale: Float = fraction > 0 ? fraction : 1
    self.scale = scale
    numbers = x.map { Int8(max(-127, min(127, ($0 / scale).rounded(.toNearestOrEven)))) }
  }

  init(activations x: [Float]) {
    let most = x.map(abs).max() ?? 0
    scale = most < 0x1p-100 ? 0 : most / 127
    numbers = x.map { most < 0x1p-100 ? 0 : Int8(($0 * (127 / most)).rounded(.toNearestOrEven)) }
  }

  static func rows(_ x: [Float], width: Int, _ make: ([Float]) -> Int8Row) -> [Int8Row] {
    stride(from: 0, to: x.count, by: width).map { make(Array(x[$0..<$0 + width])) }
  }

  /// The product's own rounding of an exact sum.
  static func product(_ x: Int8Row, _ w: Int8Row) -> Float {
    let sum = zip(x.numbers, w.numbers).reduce(0) { $0 + Int32($1.0) * Int32($1.1) }
    return Float(sum) * (x.scale * w.scale)
  }
}
