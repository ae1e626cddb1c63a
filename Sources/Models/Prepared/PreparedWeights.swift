import Kernels
import Files
import Tensors

/// The packed weights of a prepared file: views of its mapping, each of the length that the model's shapes ask for.
struct PreparedWeights: WeightSource {
  let facts: ModelFacts
  private let file: MappedFile
  private let places: [String: PreparedPlace]

  /// - Throws: `corruptFile` for parts that are not one after the other, each on a cache line, between `start` and the end.
  init(_ front: PreparedFront, start: Int, in file: MappedFile) throws(RallyError) {
    facts = front.facts
    self.file = file
    var end = start
    var places: [String: PreparedPlace] = [:]
    for place in front.places {
      for part in place.parts where part.byteCount > 0 {
        let (next, overflow) = part.offset.addingReportingOverflow(part.byteCount)
        guard part.offset >= end, part.offset % AlignedStorage<UInt8>.alignment == 0, !overflow, next <= file.byteCount else {
          throw RallyError(
            .corruptFile, file.path,
            expected: "\(place.key.quoted) on a cache line, after byte \(end) and before \(file.byteCount)",
            found: "\(part.byteCount) bytes at byte \(part.offset)", remedy: PreparedHeader.remedy)
        }
        end = next
      }
      guard places.updateValue(place, forKey: place.key) == nil else {
        throw RallyError(.duplicateTensor, place.key.quoted, expected: "one part of this name", found: "two")
      }
    }
    self.places = places
  }

  func table(_ tensor: TensorInfo) throws(RallyError) -> EmbeddingTable {
    unsafe try EmbeddingTable(tensor, parts: parts(of: place(WeightPiece.key(table: tensor))), of: file)
  }

  func floats(_ parts: WeightParts) throws(RallyError) -> FloatStorage {
    let place = try place(WeightPiece.key(parts))
    let bytes = unsafe self.parts(of: place)
    let byteCount = parts.count * MemoryLayout<Float>.stride
    guard unsafe bytes.count == 1 && bytes[0].count == byteCount else {
      throw RallyError(
        .truncatedData, place.key.quoted, expected: "\(byteCount) bytes", found: "\(unsafe bytes.map(\.count))",
        remedy: PreparedHeader.remedy)
    }
    return unsafe FloatStorage(bytes[0], of: file)
  }

  func matrix(_ tensors: [TensorInfo], _ dataType: DataType) throws(RallyError) -> PackedMatrix {
    let place = try place(WeightPiece.key(matrix: tensors, dataType))
    guard place.form.count == 2,
      let form = PackedMatrix.Form(
        inputs: tensors[0].shape[1], heights: tensors.map { $0.shape[0] }, dataType: dataType, groupCount: place.form[0],
        hasFactors: place.form[1] == 1)
    else {
      throw RallyError(
        .corruptFile, place.key.quoted, expected: "a packed matrix", found: "the numbers \(place.form)",
        remedy: PreparedHeader.remedy)
    }
    return unsafe try PackedMatrix(form, parts: parts(of: place), of: file)
  }

  private func place(_ key: String) throws(RallyError) -> PreparedPlace {
    guard let place = places[key] else {
      throw RallyError(
        .missingTensor, key.quoted, expected: "packed weights of this name", found: "none", remedy: PreparedHeader.remedy)
    }
    return place
  }

  /// An empty part has no address: its place says nothing.
  @unsafe
  private func parts(of place: PreparedPlace) -> [UnsafeRawBufferPointer] {
    unsafe place.parts.map { part in
      guard part.byteCount > 0 else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
      return unsafe UnsafeRawBufferPointer(rebasing: file.bytes[part.offset..<part.offset + part.byteCount])
    }
  }
}

extension WeightPiece {
  /// The bytes that stand for it in a prepared file.
  @unsafe var parts: [UnsafeRawBufferPointer] {
    switch content {
    case .table(let table): unsafe table.parts
    case .floats(let storage): unsafe [storage.bytes]
    case .matrix(let matrix): unsafe matrix.parts
    }
  }

  /// What `PreparedPlace` notes besides.
  var form: [Int] {
    guard case .matrix(let matrix) = content else { return [] }
    return [matrix.form.groupCount, matrix.form.hasFactors ? 1 : 0]
  }
}
