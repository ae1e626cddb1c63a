import Kernels
import Tensors
import Testing

/// The ways to compute a product that this processor has.
enum ProductForm: String, CaseIterable, CustomTestStringConvertible {
  case f32, widening, native, int8, q4

  static var available: [ProductForm] { allCases.filter { $0 != .native || BF16Method.native.isAvailable } }

  var testDescription: String { rawValue }
  var method: BF16Method { self == .native ? .native : .widening }
  var dataType: DataType {
    switch self {
    case .f32: .f32
    case .widening, .native: .bf16
    case .int8: .int8
    case .q4: .q4
    }
  }

  /// q4 has whole groups of inputs only; other widths are packed in int8.
  func pack(_ weights: [Float], inputs: Int, outputs: Int) throws -> PackedMatrix {
    try unsafe PackedMatrix(
      inputs: inputs, outputs: outputs, from: weights, dataType: PackedMatrix.dataType(dataType, inputs: inputs), method: method)
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
          Int8Row.rows(x, width: inputs) { Int8Row(activations: $0) }.flatMap(\.values),
          Int8Row.rows(weights, width: inputs) { Int8Row(weights: $0) }.flatMap(\.values)
        )
      case .q4:
        (
          Int8Row.rows(x, width: inputs) { Int8Row(activations: $0) }.flatMap(\.values),
          Int8Row.rows(weights, width: inputs) { Int8Row(q4: $0) }.flatMap(\.values)
        )
      }
    return Twin.matmul(x, weights, rows: rows, inputs: inputs, outputs: outputs)
  }
}

/// A row made int8 in groups that have a scale each, by plain Swift.
struct Int8Row {
  var scales: [Float]
  var numbers: [Int8]

  private var groupWidth: Int { numbers.count / scales.count }
  var values: [Double] { numbers.indices.map { Double(numbers[$0]) * Double(scales[$0 / groupWidth]) } }

  /// - Parameter groupCount: nil for what the engine makes of so many numbers.
  init(weights x: [Float], groupCount: Int? = nil) {
    self.init(x, groupCount) { most in
      most > 0 ? most / 127 : 1
    } number: { value, scale, _ in
      max(-127, min(127, (value / scale).rounded(.toNearestOrEven)))
    }
  }

  /// By the rule of `docs/format.md`; int8 where it has no whole groups.
  init(q4 x: [Float]) {
    guard x.count % 32 == 0 else {
      self.init(weights: x)
      return
    }
    let groups = stride(from: 0, to: x.count, by: 32).map { Array(x[$0..<$0 + 32]) }
    let scales = groups.map { Twin.q4Scale($0) }
    self.init(
      scales: scales,
      numbers: zip(groups, scales).flatMap { group, scale in
        group.map { Int8(max(-8, min(7, $0 / scale)).rounded(.toNearestOrEven)) }
      })
  }

  private init(scales: [Float], numbers: [Int8]) {
    self.scales = scales
    self.numbers = numbers
  }

  init(activations x: [Float], groupCount: Int? = nil) {
    self.init(x, groupCount) { most in
      most < 0x1p-100 ? 0 : most / 127
    } number: { value, _, most in
      most < 0x1p-100 ? 0 : (value * (127 / most)).rounded(.toNearestOrEven)
    }
  }

  private init(
    _ x: [Float], _ groupCount: Int?, scale: (_ most: Float) -> Float,
    number: (_ value: Float, _ scale: Float, _ most: Float) -> Float
  ) {
    let groupCount = groupCount ?? PackedMatrix.groupCount(inputs: x.count)
    let width = x.count / groupCount
    scales = []
    numbers = []
    for group in 0..<groupCount {
      let values = x[group * width..<(group + 1) * width]
      let most = values.map(abs).max() ?? 0
      let scale = scale(most)
      scales.append(scale)
      numbers += values.map { Int8(number($0, scale, most)) }
    }
  }

  static func rows(_ x: [Float], width: Int, _ make: ([Float]) -> Int8Row) -> [Int8Row] {
    stride(from: 0, to: x.count, by: width).map { make(Array(x[$0..<$0 + width])) }
  }

  /// The product's own rounding of the exact sums of groups.
  static func product(_ x: Int8Row, _ w: Int8Row) -> Float {
    var total: Float = 0
    for group in w.scales.indices {
      let sum = (group * w.groupWidth..<(group + 1) * w.groupWidth).reduce(Int32(0)) {
        $0 + Int32(x.numbers[$1]) * Int32(w.numbers[$1])
      }
      total.addProduct(Float(sum) * x.scales[group], w.scales[group])
    }
    return total
  }
}
