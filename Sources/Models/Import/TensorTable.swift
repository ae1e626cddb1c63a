import Files
import Tensors

/// The initializers of a file by name, taken out one by one; what is left at the end is an error.
struct TensorTable {
  private static let graphPrefix = "graph."
  private let limits: ModelLimits
  /// What inline data is part of; nil for a model in memory.
  private let file: MappedFile?
  private var order: [String] = []
  private var stored: [String: Int] = [:]

  /// - Throws: `duplicateTensor`.
  init(_ onnx: borrowing OnnxModel, limits: ModelLimits, file: MappedFile?) throws(RallyError) {
    self.limits = limits
    self.file = file
    for index in 0..<onnx.tensorCount {
      let name = onnx.tensor(index).name
      guard stored.updateValue(index, forKey: name) == nil else {
        throw RallyError(.duplicateTensor, name.quoted, expected: "one tensor of this name", found: "two")
      }
      if !name.utf8.starts(with: Self.graphPrefix.utf8) { order.append(name) }
    }
  }

  /// - Throws: `unknownTensor` for the first one that was not asked for.
  func finish() throws(RallyError) {
    for name in order where stored[name] != nil {
      throw RallyError(
        .unknownTensor, name.quoted, expected: "only the tensors of this kind of model", found: "this one")
    }
  }

  func contains(_ name: String) -> Bool { stored[name] != nil }

  /// As the file says, if they are two.
  func extents(of name: String, in onnx: borrowing OnnxModel) -> [Int]? {
    guard let index = stored[name] else { return nil }
    let extents = onnx.tensor(index).extents
    return extents.count == 2 ? extents.map { Int(clamping: $0) } : nil
  }

  var maximumTokenizerEntryCount: Int { limits.maximumTokenizerEntryCount }

  /// - Throws: `missingTensor`.
  mutating func take(_ name: String, from onnx: borrowing OnnxModel) throws(RallyError) -> StoredTensor {
    guard let index = stored.removeValue(forKey: name) else {
      let trace = Trace(in: order, missing: name)
      throw RallyError(
        .missingTensor, name.quoted, expected: "an initializer of this name", found: trace?.found ?? "none",
        remedy: trace?.remedy ?? "")
    }
    return onnx.tensor(index)
  }

  /// Checks a tensor and finds its data.
  ///
  /// - Parameters:
  ///   - extents: nil where any extent will do.
  ///   - types: which it may have.
  /// - Throws: `invalidShape`, `invalidDataType`, `truncatedData`, `limitExceeded`, `corruptFile` and the
  ///   codes of external data; each names the tensor.
  mutating func entry(
    _ name: String, extents: [Int?], types: [DataType], in onnx: borrowing OnnxModel,
    external: inout ExternalData
  ) throws(RallyError) -> TensorEntry {
    let tensor = try take(name, from: onnx)
    guard let type = tensor.dataType, types.contains(type) else {
      throw RallyError(
        .invalidDataType, name.quoted, expected: types.map(\.description).joined(separator: ", "),
        found: tensor.typeName)
    }
    let shape = try Self.shape(of: tensor, type, expected: extents)
    let byteCount = try byteCount(shape, type, of: tensor)
    let (data, storage) = unsafe try bytes(
      of: tensor, type, shape: shape, byteCount: byteCount, in: onnx, external: &external)
    return unsafe TensorEntry(name: name, dataType: type, shape: shape, data: data, storage: storage)
  }

  /// In numbers: a byte of q4 has two.
  private static func shape(
    of tensor: StoredTensor, _ type: DataType?, expected: [Int?]
  ) throws(RallyError) -> Shape {
    var extents = tensor.extents
    if type == .q4, let last = extents.last, (0..<Int64.max / 2).contains(last) { extents[extents.count - 1] = 2 * last }
    let matches =
      extents.count == expected.count
      && zip(extents, expected).allSatisfy { found, wanted in wanted.map { Int64($0) == found } ?? (found >= 0) }
    guard matches, let shape = Shape(extents.map(Int.init)) else {
      let wanted = expected.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
      let found = extents.map(String.init).joined(separator: ", ")
      throw RallyError(.invalidShape, tensor.name.quoted, expected: "[\(wanted)]", found: "[\(found)]")
    }
    return shape
  }

  private func byteCount(_ shape: Shape, _ type: DataType, of tensor: StoredTensor) throws(RallyError) -> Int {
    guard shape.elementCount <= Int.max / 8 else {
      throw RallyError(
        .invalidShape, tensor.name.quoted, expected: "a tensor that fits into memory", found: "\(shape)")
    }
    let byteCount = type.byteCount(of: shape.elementCount)
    guard byteCount <= limits.maximumTensorByteCount else {
      throw RallyError(
        .limitExceeded, tensor.name.quoted, expected: "at most \(limits.maximumTensorByteCount) bytes",
        found: "\(byteCount)", remedy: "raise max_tensor_bytes")
    }
    return byteCount
  }

  /// The tensors that are no weights and have their data outside of the model.
  ///
  /// - Parameter known: which are weights.
  /// - Throws: as `entry`; `unsupported` for a type of constants that weights do not have.
  func externalOthers(
    in onnx: borrowing OnnxModel, external: inout ExternalData, known: (String) -> Bool
  ) throws(RallyError) -> [(index: Int, entry: TensorEntry)] {
    var others: [(index: Int, entry: TensorEntry)] = []
    for (name, index) in stored.sorted(by: { $0.value < $1.value }) where !known(name) {
      let tensor = onnx.tensor(index)
      guard tensor.source == .external else { continue }
      guard let type = tensor.dataType, type != .q4 else {
        throw RallyError(
          .unsupported, name.quoted, expected: "its data inside the model", found: "external data of \(tensor.typeName)")
      }
      let shape = try Self.shape(of: tensor, type, expected: tensor.extents.map { _ in nil })
      let byteCount = try byteCount(shape, type, of: tensor)
      let (data, storage) = unsafe try external.bytes(of: tensor, byteCount: byteCount)
      others.append((index, unsafe TensorEntry(name: name, dataType: type, shape: shape, data: data, storage: storage)))
    }
    return others
  }

  @unsafe
  private func bytes(
    of tensor: StoredTensor, _ type: DataType, shape: Shape, byteCount: Int, in onnx: borrowing OnnxModel,
    external: inout ExternalData
  ) throws(RallyError) -> StoredBytes {
    switch tensor.source {
    case .external:
      return unsafe try external.bytes(of: tensor, byteCount: byteCount)
    case .raw, .none:
      guard unsafe tensor.data.count == byteCount else {
        throw RallyError(
          .truncatedData, tensor.name.quoted, expected: "\(byteCount) bytes",
          found: "\(unsafe tensor.data.count)")
      }
      return unsafe (tensor.data, file)
    case .typed:
      let elementCount = type == .q4 ? byteCount : shape.elementCount
      guard tensor.elementCount == elementCount else {
        throw RallyError(
          .truncatedData, tensor.name.quoted, expected: "\(elementCount) elements",
          found: "\(tensor.elementCount)")
      }
      let decoded = try DecodedBytes(byteCount: byteCount)
      unsafe try onnx.read(tensor, into: decoded.base)
      return unsafe (UnsafeRawBufferPointer(start: decoded.base, count: byteCount), decoded)
    case .strings, .several:
      throw RallyError(
        .corruptFile, tensor.name.quoted, expected: "its data in one field of numbers",
        found: tensor.source == .strings ? "strings" : "data in several fields")
    }
  }
}
