import Kernels
import Tensors

/// Tensors of which one vector is made, and zeros in between: (nil, count).
struct WeightParts {
  let parts: [(tensor: TensorInfo?, count: Int)]

  var count: Int { parts.reduce(0) { $0 + $1.count } }
}

/// Some packed weights, under the name by which `WeightLoader` asks for them.
package struct WeightPiece: Sendable {
  enum Content: Sendable {
    case table(EmbeddingTable)
    case floats(FloatStorage)
    case matrix(PackedMatrix)
  }

  let key: String
  let content: Content

  static func key(table: TensorInfo) -> String { "table " + table.name }

  static func key(_ parts: WeightParts) -> String {
    "floats " + parts.parts.map { $0.tensor?.name ?? "\($0.count) zeros" }.joined(separator: " ")
  }

  static func key(matrix tensors: [TensorInfo], _ dataType: DataType) -> String {
    "\(dataType) " + tensors.map(\.name).joined(separator: " ")
  }
}
