import Kernels
import Tensors
import Testing

/// The ways to compute a product that this processor has.
enum ProductForm: String, CaseIterable, CustomTestStringConvertible {
  case f32, widening, native

  static var available: [ProductForm] { allCases.filter { $0 != .native || BF16Method.native.isAvailable } }

  var testDescription: String { rawValue }
  var dataType: DataType { self == .f32 ? .f32 : .bf16 }
  var method: BF16Method { self == .native ? .native : .widening }

  func pack(_ weights: [Float], inputs: Int, outputs: Int) throws -> PackedMatrix {
    try unsafe PackedMatrix(inputs: inputs, outputs: outputs, from: weights, dataType: dataType, method: method)
  }

  /// What the product should be, [rows, outputs], from rounded operands and exact sums.
  func expected(_ x: [Float], _ weights: [Float], rows: Int, inputs: Int, outputs: Int) -> [Double] {
    let x = self == .native ? x.map(Twin.bf16) : x
    let weights = self == .f32 ? weights : weights.map(Twin.bf16)
    return Twin.matmul(x, weights, rows: rows, inputs: inputs, outputs: outputs)
  }
}
