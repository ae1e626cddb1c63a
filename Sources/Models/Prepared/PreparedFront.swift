package import Files
import Tensors

/// What a prepared file says of its model: all that a model file says besides weights, and where the packed weights are.
struct PreparedFront {
  let facts: ModelFacts
  /// Of the products.
  let dataType: DataType
  /// SHA-256 of the model file, or of the calibrated one that was made of it: what labels of scores stand for.
  let contentDigest: [UInt8]
  let original: PreparedOriginal
  var places: [PreparedPlace]

  func encoded() -> [UInt8] {
    var writer = PreparedBytesWriter()
    writer.append(dataType.description)
    writer.append(contentDigest)
    original.append(to: &writer)
    writer.append(facts.digest)
    writer.append(facts.metadata) { writer, pair in
      writer.append(pair.key)
      writer.append(pair.value)
    }
    writer.append(facts.tensors) { writer, tensor in
      writer.append(tensor.name)
      writer.append(tensor.dataType.description)
      writer.append(tensor.shape) { writer, extent in writer.append(extent) }
      writer.append(tensor.byteCount)
    }
    facts.tokenizerContent.append(to: &writer)
    writer.append(places) { writer, place in place.append(to: &writer) }
    return writer.bytes
  }

  /// - Throws: `corruptFile` for what no writer of this version writes; the codes of metadata; `invalidTokenizer`; `missingTensor`,
  ///   `unknownTensor`, `invalidShape`, `invalidDataType` for tensors that the description does not ask for.
  @unsafe
  init(_ bytes: UnsafeRawBufferPointer, path: String, limits: ModelLimits) throws(RallyError) {
    var reader = unsafe PreparedBytesReader(bytes, path: path)
    dataType = try Self.dataType(&reader)
    contentDigest = try Self.digest(&reader)
    original = try PreparedOriginal(&reader)
    let digest = try reader.bits()
    let metadata = try reader.list { (reader) throws(RallyError) in
      MetadataPair(key: try reader.text(), value: try reader.text())
    }
    let description = try ModelDescription(metadata: metadata)
    let tensors = try reader.list { (reader) throws(RallyError) in try Self.tensor(&reader, limits) }
    let tokenizer = try TokenizerContent?(&reader, description: description, limits: limits)
    facts = ModelFacts(
      description: description, metadata: metadata, tensors: tensors, tokenizerContent: tokenizer, digest: digest)
    places = try reader.list { (reader) throws(RallyError) in try PreparedPlace(&reader) }
    guard reader.isAtEnd else { throw reader.error("the end", "more") }
    try check()
  }

  init(facts: ModelFacts, dataType: DataType, contentDigest: [UInt8], original: PreparedOriginal, places: [PreparedPlace]) {
    (self.facts, self.dataType, self.contentDigest) = (facts, dataType, contentDigest)
    (self.original, self.places) = (original, places)
  }

  static func digest(_ reader: inout PreparedBytesReader) throws(RallyError) -> [UInt8] {
    let digest = try reader.list()
    guard digest.count == 32 else { throw reader.error("a digest of 32 bytes", "\(digest.count)") }
    return digest
  }

  static func dataType(_ reader: inout PreparedBytesReader) throws(RallyError) -> DataType {
    let name = try reader.text()
    guard let type = DataType.allCases.first(where: { $0.description == name }) else {
      throw reader.error("a type of numbers", name.quoted)
    }
    return type
  }

  private static func tensor(_ reader: inout PreparedBytesReader, _ limits: ModelLimits) throws(RallyError) -> TensorInfo {
    let (name, type) = (try reader.text(), try dataType(&reader))
    let extents = try reader.list { (reader) throws(RallyError) in try reader.number("an extent", upTo: .max) }
    let byteCount = try reader.number("a size", upTo: .max)
    guard let shape = Shape(extents), !shape.elementCount.multipliedReportingOverflow(by: 8).overflow else {
      throw reader.error("the shape of a tensor that fits into memory", "\(extents)")
    }
    guard byteCount <= limits.maximumTensorByteCount else {
      throw RallyError(
        .limitExceeded, name.quoted, expected: "at most \(limits.maximumTensorByteCount) bytes", found: "\(byteCount)",
        remedy: "raise max_tensor_bytes")
    }
    return TensorInfo(name: name, dataType: type, shape: shape, byteCount: byteCount)
  }

  /// The tensors are those that a model of this description has.
  private func check() throws(RallyError) {
    var seen = 0
    try facts.description.visitWeights {
      facts.tensor(named: $0) != nil
    } _: { (wanted) throws(RallyError) in
      guard let tensor = facts.tensor(named: wanted.name) else {
        throw RallyError(.missingTensor, wanted.name.quoted, expected: "a tensor of this name", found: "none")
      }
      let types: [DataType] = DataType.allCases.filter { ![.int32, .int64].contains($0) && (!$0.hasScales || wanted.extents.count == 2) }
      guard types.contains(tensor.dataType) else {
        throw RallyError(.invalidDataType, wanted.name.quoted, expected: "a type of weights", found: "\(tensor.dataType)")
      }
      guard tensor.shape.count == wanted.extents.count,
        zip(tensor.shape, wanted.extents).allSatisfy({ found, wanted in found == wanted ?? found })
      else {
        let extents = wanted.extents.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
        throw RallyError(.invalidShape, wanted.name.quoted, expected: "[\(extents)]", found: "\(tensor.shape)")
      }
      seen += 1
      return tensor.shape
    }
    guard seen == facts.tensors.count else {
      throw RallyError(
        .unknownTensor, "tensors", expected: "the \(seen) of this kind of model", found: "\(facts.tensors.count)")
    }
    try facts.description.check(untied: facts.hasUntiedLayers)
  }
}

/// One `WeightPiece` in the file.
struct PreparedPlace {
  let key: String
  /// Where its parts begin in the file, and their lengths.
  let parts: [(offset: Int, byteCount: Int)]
  /// Numbers that its form needs: of a matrix scales of a row and 1 with factors.
  let form: [Int]

  init(key: String, parts: [(offset: Int, byteCount: Int)], form: [Int]) {
    (self.key, self.parts, self.form) = (key, parts, form)
  }

  init(_ reader: inout PreparedBytesReader) throws(RallyError) {
    key = try reader.text()
    parts = try reader.list { (reader) throws(RallyError) in
      (try reader.number("an offset", upTo: .max), try reader.number("a size", upTo: .max))
    }
    form = try reader.list { (reader) throws(RallyError) in try reader.number("a number", upTo: .max) }
  }

  func append(to writer: inout PreparedBytesWriter) {
    writer.append(key)
    writer.append(parts) { writer, part in
      writer.append(part.offset)
      writer.append(part.byteCount)
    }
    writer.append(form) { writer, number in writer.append(number) }
  }
}

/// The files that a prepared one was made of: the model file, then those with its data.
package struct PreparedOriginal: Sendable {
  package struct File: Equatable, Sendable {
    /// Without the folder of the model file.
    package let name: String
    package let stamp: FileStamp

    package init(name: String, stamp: FileStamp) { (self.name, self.stamp) = (name, stamp) }
  }

  package let files: [File]
  /// SHA-256 over their SHA-256.
  package let digest: [UInt8]

  package init(files: [File], digest: [UInt8]) { (self.files, self.digest) = (files, digest) }

  init(_ reader: inout PreparedBytesReader) throws(RallyError) {
    files = try reader.list { (reader) throws(RallyError) in
      let (name, byteCount, changed) = (try reader.text(), try reader.number(), try reader.number())
      return File(name: name, stamp: FileStamp(byteCount: byteCount, changed: changed))
    }
    digest = try PreparedFront.digest(&reader)
  }

  func append(to writer: inout PreparedBytesWriter) {
    writer.append(files) { writer, file in
      writer.append(file.name)
      writer.append(file.stamp.byteCount)
      writer.append(file.stamp.changed)
    }
    writer.append(digest)
  }
}
