import Files
import JSON
import Models
import Tensors

/// The tensors of one `.safetensors` file: eight bytes that say how long the header is, the header in JSON, the data.
///
/// Nothing in the file is believed: lengths, shapes and places are checked against each other and the file's size.
/// Source: the format of huggingface/safetensors.
final class SafetensorsFile: Sendable {
  /// What the header says of a tensor; its place lies inside the data.
  struct Item {
    var typeName: String
    var extents: [Int]
    var place: Range<Int>
  }

  /// Headers of published models take a few MB; the format's own limit.
  private static let maximumHeaderByteCount = 100_000_000

  let path: String
  let items: [String: Item]
  /// Names in the order of the header.
  let names: [String]
  private let file: MappedFile
  private let dataStart: Int

  /// - Throws: `corruptFile`, `truncatedData`, `duplicateTensor`, `invalidShape`, and what opening a file throws.
  init(path: String, limits: ModelLimits = ModelLimits()) throws(RallyError) {
    file = try MappedFile(
      path: path, access: limits.copiesFiles ? .copied : .mapped, maxByteCount: limits.maximumFileByteCount)
    self.path = path
    let header = try Self.header(of: file)
    dataStart = 8 + header.count
    var parser = HeaderParser(path: path, dataByteCount: file.byteCount - dataStart)
    try parser.read(header)
    (items, names) = (parser.items, parser.names)
  }

  private static func header(of file: MappedFile) throws(RallyError) -> [UInt8] {
    let length = unsafe file.byteCount < 8 ? UInt64.max : file.bytes.loadUnaligned(as: UInt64.self).littleEndian
    guard length <= UInt64(min(max(file.byteCount - 8, 0), maximumHeaderByteCount)) else {
      throw RallyError(
        .corruptFile, file.path, expected: "a safetensors header inside the file, at most \(maximumHeaderByteCount) bytes",
        found: file.byteCount < 8 ? "a file of \(file.byteCount) bytes" : "one of \(length) bytes")
    }
    return unsafe Array(file.bytes[8..<8 + Int(length)])
  }

  /// - Throws: `missingTensor`; `invalidDataType` for a type other than F32, F16 and BF16.
  func tensor(_ name: String) throws(RallyError) -> TensorEntry {
    guard let item = items[name], let shape = Shape(item.extents) else {
      throw RallyError(.missingTensor, name.quoted, expected: "a tensor of \(path)", found: "none of this name")
    }
    let types: [String: DataType] = ["F32": .f32, "F16": .f16, "BF16": .bf16]
    guard let type = types[item.typeName] else {
      throw RallyError(
        .invalidDataType, name.quoted, expected: "F32, F16 or BF16", found: item.typeName,
        remedy: "save the checkpoint in one of these")
    }
    let data = unsafe UnsafeRawBufferPointer(
      rebasing: file.bytes[dataStart + item.place.lowerBound..<dataStart + item.place.upperBound])
    return unsafe TensorEntry(name: name, dataType: type, shape: shape, data: data, storage: file)
  }
}

/// Reads and checks the JSON of a header.
private struct HeaderParser {
  let path: String
  let dataByteCount: Int
  var items: [String: SafetensorsFile.Item] = [:]
  var names: [String] = []
  /// Pairs of the metadata.
  private var metadata: [(key: String, value: String)] = []

  init(path: String, dataByteCount: Int) {
    self.path = path
    self.dataByteCount = dataByteCount
  }

  mutating func read(_ header: [UInt8]) throws(RallyError) {
    var scanner = JSONScanner(header)
    var failure: RallyError?
    do throws(JSONError) {
      scanner.skipSpace()
      try scanner.members { (scanner) throws(JSONError) in
        let name = String(decoding: try scanner.string(), as: UTF8.self)
        try scanner.require(":")
        if name == "__metadata__" { return try readMetadata(&scanner) }
        let item = try Self.item(&scanner)
        do throws(RallyError) { try add(name, item) } catch {
          failure = failure ?? error
        }
      }
      scanner.skipSpace()
      guard scanner.next == nil else { throw scanner.unexpected("the end of the header") }
    } catch {
      throw RallyError(.corruptFile, "\(path), header", expected: "the JSON of safetensors", found: error.message)
    }
    if let failure { throw failure }
    addAliases()
  }

  private mutating func readMetadata(_ scanner: inout JSONScanner) throws(JSONError) {
    var pairs = metadata
    try scanner.members { (scanner) throws(JSONError) in
      let key = String(decoding: try scanner.string(), as: UTF8.self)
      try scanner.require(":")
      guard scanner.next == UInt8(ascii: "\"") else { return try scanner.skipValue() }
      pairs.append((key, String(decoding: try scanner.string(), as: UTF8.self)))
    }
    metadata = pairs
  }

  /// Of tensors that share memory `safetensors.torch.save_model` stores one, and the metadata names it for each of the others.
  private mutating func addAliases() {
    for (alias, name) in metadata where items[alias] == nil {
      guard let item = items[name] else { continue }
      items[alias] = item
      names.append(alias)
    }
  }

  private static func item(_ scanner: inout JSONScanner) throws(JSONError) -> SafetensorsFile.Item {
    var (type, extents, place): (String?, [Int]?, [Int]?) = (nil, nil, nil)
    try scanner.members { (scanner) throws(JSONError) in
      let key = String(decoding: try scanner.string(), as: UTF8.self)
      try scanner.require(":")
      switch key {
      case "dtype": type = String(decoding: try scanner.string(), as: UTF8.self)
      case "shape": extents = try integers(&scanner)
      case "data_offsets": place = try integers(&scanner)
      default: try scanner.skipValue()
      }
    }
    guard let type, let extents, let place, place.count == 2, place[0] >= 0, place[0] <= place[1] else {
      throw JSONError(message: "expected dtype, shape and two ascending data_offsets, found less")
    }
    return SafetensorsFile.Item(typeName: type, extents: extents, place: place[0]..<place[1])
  }

  private static func integers(_ scanner: inout JSONScanner) throws(JSONError) -> [Int] {
    var values: [Int] = []
    try scanner.elements { (scanner) throws(JSONError) in values.append(try scanner.integer()) }
    return values
  }

  private mutating func add(_ name: String, _ item: SafetensorsFile.Item) throws(RallyError) {
    guard item.place.upperBound <= dataByteCount else {
      throw RallyError(
        .truncatedData, name.quoted, expected: "data within the \(dataByteCount) bytes of \(path)",
        found: "its end at \(item.place.upperBound)")
    }
    guard let shape = Shape(item.extents) else {
      throw RallyError(.invalidShape, name.quoted, expected: "extents that fit into memory", found: "\(item.extents)")
    }
    if let size = Self.byteCounts[item.typeName] {
      let (byteCount, overflow) = shape.elementCount.multipliedReportingOverflow(by: size)
      guard !overflow, byteCount == item.place.count else {
        throw RallyError(
          .truncatedData, name.quoted, expected: "\(item.typeName) \(shape)", found: "\(item.place.count) bytes")
      }
    }
    guard items.updateValue(item, forKey: name) == nil else {
      throw RallyError(.duplicateTensor, name.quoted, expected: "one tensor of this name", found: "two")
    }
    names.append(name)
  }

  /// Of the types that are read.
  private static let byteCounts = ["F32": 4, "F16": 2, "BF16": 2]
}
