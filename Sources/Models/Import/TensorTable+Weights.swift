import Files
import Kernels
import Tensors

extension TensorTable {
  private static let floats: [DataType] = [.f32, .f16, .bf16]

  /// Finds every weight that the description asks for, in the order of `docs/format.md`.
  mutating func readWeights(
    into model: inout ImportedModel, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) {
    var list: [TensorRequirement] = []
    let stored = self
    try model.description.visitWeights(where: stored.contains) { (tensor) throws(RallyError) in
      list.append(tensor)
      // What is no matrix is refused when it is read.
      return stored.extents(of: tensor.name, in: onnx) ?? [1]
    }
    for tensor in list { try read(tensor, into: &model, from: onnx, external: &external) }
  }

  private mutating func read(
    _ tensor: TensorRequirement,
    into model: inout ImportedModel, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) {
    if tensor.extents.count == 2 {
      _ = try matrix(tensor.name, tensor.extents, into: &model, from: onnx, external: &external)
    } else {
      let entry = try entry(
        tensor.name, extents: tensor.extents, types: Self.floats, in: onnx, external: &external)
      model.append(entry)
    }
  }

  /// A matrix, which may be int8 or q4 with scales and a balance.
  private mutating func matrix(
    _ name: String, _ extents: [Int?],
    into model: inout ImportedModel, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) -> TensorEntry {
    var matrix = try entry(
      name, extents: extents, types: Self.floats + [.int8, .q4], in: onnx, external: &external)
    if matrix.dataType.hasScales {
      let width = matrix.shape.extents[1]
      guard PackedMatrix.dataType(matrix.dataType, inputs: width) == matrix.dataType else {
        throw RallyError(
          .invalidShape, name.quoted, expected: "a multiple of \(PackedMatrix.groupWidth) columns in q4", found: "\(width)")
      }
      matrix = unsafe TensorEntry(
        name: name, dataType: matrix.dataType, shape: matrix.shape, data: matrix.data, storage: matrix.storage,
        scales: try scales(of: matrix, from: onnx, external: &external),
        balance: try balance(of: matrix, from: onnx, external: &external))
    }
    model.append(matrix)
    return matrix
  }

  /// One for each row, or for each group of inputs of each row.
  private mutating func scales(
    of matrix: TensorEntry, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) -> [Float] {
    let (rows, width) = (matrix.shape.extents[0], matrix.shape.extents[1])
    let isHalf = matrix.dataType == .q4
    let scales = try entry(
      matrix.name + ".scale", extents: [nil], types: [isHalf ? .f16 : .f32], in: onnx, external: &external)
    let groups = rows * PackedMatrix.groupCount(inputs: width)
    guard (isHalf ? [groups] : [rows, groups]).contains(scales.shape.elementCount) else {
      throw RallyError(
        .invalidShape, scales.name.quoted, expected: groups == rows || isHalf ? "[\(groups)]" : "[\(rows)] or [\(groups)]",
        found: "[\(scales.shape.elementCount)]")
    }
    if let place = scales.firstNotFinite() {
      throw RallyError(
        .notFinite, scales.name.quoted, expected: "finite numbers", found: "a NaN or infinity at element \(place)")
    }
    return scales.floats()
  }

  private mutating func balance(
    of matrix: TensorEntry, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) -> [Float] {
    let name = matrix.name + ".balance"
    guard contains(name) else { return [] }
    let balance = try entry(
      name, extents: [matrix.shape.extents[1]], types: [.f32], in: onnx, external: &external
    ).floats()
    for (place, value) in balance.enumerated() where !Balance.isValid(value) {
      throw RallyError(
        .invalidValue, name.quoted, expected: "powers of two from \(Balance.least) to \(Balance.greatest)",
        found: "\(value) at element \(place)")
    }
    return balance
  }
}

extension ImportedModel {
  fileprivate mutating func append(_ entry: TensorEntry) {
    indices[entry.name] = tensors.count
    tensors.append(entry)
  }
}
