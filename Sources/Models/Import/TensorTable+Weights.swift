import Files
import Kernels
import Tensors

extension TensorTable {
  private static let floats: [DataType] = [.f32, .f16, .bf16]

  /// Finds every weight that the description asks for, in the order of `docs/format.md`.
  mutating func readWeights(
    into model: inout ImportedModel, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) {
    let description = model.description
    try read(description.leadingRequirements, into: &model, from: onnx, external: &external)
    let groups = description.storedGroups
    try readLayers("first", groups.first, into: &model, from: onnx, external: &external)
    for (index, layer) in groups.block.enumerated() {
      for tensor in description.requirements(of: layer) {
        try readBlock(index, tensor, into: &model, from: onnx, external: &external)
      }
    }
    try readLayers("last", groups.last, into: &model, from: onnx, external: &external)
    try read(description.trailingRequirements, into: &model, from: onnx, external: &external)
    if let rater = description.rater, case .mlp = rater.head {
      try readHead(of: rater, into: &model, from: onnx, external: &external)
    }
  }

  private mutating func readLayers(
    _ group: String, _ layers: ArraySlice<ModelDescription.Layer>,
    into model: inout ImportedModel, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) {
    for (index, layer) in layers.enumerated() {
      for tensor in model.description.requirements(of: layer) {
        try read(
          TensorRequirement(name: "\(group).\(index).\(tensor.suffix)", extents: tensor.extents),
          into: &model, from: onnx, external: &external)
      }
    }
  }

  /// One tensor of a layer of the block: one for all recursions, or one for each.
  private mutating func readBlock(
    _ index: Int, _ tensor: LayerRequirement,
    into model: inout ImportedModel, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) {
    let shared = TensorRequirement(name: "block.\(index).\(tensor.suffix)", extents: tensor.extents)
    let copies = (0..<model.description.layers.recursionCount).map { recursion in
      TensorRequirement(name: "block.\(recursion).\(index).\(tensor.suffix)", extents: tensor.extents)
    }
    // A copy beside the shared tensor is left over and found as unknown.
    if contains(shared.name) || !copies.contains(where: { contains($0.name) }) {
      try read(shared, into: &model, from: onnx, external: &external)
    } else {
      try read(copies, into: &model, from: onnx, external: &external)
    }
  }

  /// The width of the hidden layer is the file's own choice.
  private mutating func readHead(
    of rater: ModelDescription.Rater, into model: inout ImportedModel, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) {
    let width = model.description.hiddenSize
    let first = try matrix("head.0.weight", [nil, width], into: &model, from: onnx, external: &external)
    let inner = first.shape.extents.first ?? 0
    guard inner >= 1, inner <= Bound.feedForward else {
      throw RallyError(
        .invalidShape, "head.0.weight", expected: "1 to \(Bound.feedForward) rows", found: "\(inner)")
    }
    var rest: [TensorRequirement] = [.init(name: "head.0.bias", extents: [inner])]
    if rater.headHasNorm {
      rest.append(.init(name: "head.norm.weight", extents: [inner]))
      if model.description.norm.hasBias { rest.append(.init(name: "head.norm.bias", extents: [inner])) }
    }
    rest.append(.init(name: "head.1.weight", extents: [rater.outputCount, inner]))
    rest.append(.init(name: "head.1.bias", extents: [rater.outputCount]))
    try read(rest, into: &model, from: onnx, external: &external)
  }

  private mutating func read(
    _ list: [TensorRequirement],
    into model: inout ImportedModel, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) {
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
