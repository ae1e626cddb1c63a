import Files

/// The files next to a model that hold its large tensors, each opened once.
struct ExternalData {
  /// Where locations are looked up, absolute and without links; empty for a model in memory.
  private let folders: [String]
  private let limits: ModelLimits
  private var files: [String: MappedFile] = [:]

  /// Of all files that were opened.
  var byteCount: Int { files.values.reduce(0) { $0 + $1.byteCount } }
  var paths: [String] { files.values.map(\.path) }

  init(folders: [String], limits: ModelLimits) {
    self.folders = folders
    self.limits = limits
  }

  /// The folder that the path names and, where the path is a link, the folder it leads to.
  static func folders(of file: borrowing OpenedFile) throws(RallyError) -> [String] {
    let named = try OpenedFile.realFolder(of: file.path)
    let real = try OpenedFile.parent(of: file.realPath())
    return named == real ? [real] : [named, real]
  }

  /// The bytes of a tensor, and what they are part of.
  ///
  /// - Parameter byteCount: what shape and type ask for.
  /// - Throws: `externalDataForbidden`, `externalDataMissing`, `externalDataRange`, `truncatedData`.
  @unsafe
  mutating func bytes(of tensor: StoredTensor, byteCount: Int) throws(RallyError) -> StoredBytes {
    let name = tensor.name.quoted
    guard !folders.isEmpty else {
      throw RallyError(
        .externalDataForbidden, name, expected: "its data inside the model, which was opened from memory",
        found: "external data")
    }
    guard tensor.offset >= 0, tensor.length >= -1 else {
      throw RallyError(
        .externalDataRange, name, expected: "offset and length as decimal numbers", found: "something else")
    }
    // Some exporters write no length or 0; onnxruntime, too, then takes what the shape asks for.
    guard [-1, 0, byteCount].contains(Int(tensor.length)) else {
      throw RallyError(.truncatedData, name, expected: "\(byteCount) bytes", found: "\(tensor.length)")
    }
    let file = try open(tensor.location, for: name)
    let (end, overflow) = Int(tensor.offset).addingReportingOverflow(byteCount)
    guard !overflow, end <= file.byteCount else {
      throw RallyError(
        .externalDataRange, name, expected: "\(byteCount) bytes at offset \(tensor.offset) of its data file",
        found: "a file of \(file.byteCount) bytes")
    }
    return unsafe (UnsafeRawBufferPointer(rebasing: file.bytes[Int(tensor.offset)..<end]), file)
  }

  private mutating func open(_ location: String, for name: String) throws(RallyError) -> MappedFile {
    if let file = files[location] { return file }
    let opened = try OpenedFile.open(location, beneath: folders, for: name)
    let file: MappedFile
    do {
      file = try MappedFile(opened, access: limits.copiesFiles ? .copied : .mapped, maxByteCount: .max)
    } catch  where error.code == .emptyFile {
      throw RallyError(.externalDataRange, name, expected: "data in its file", found: "an empty file")
    }
    files[location] = file
    return file
  }
}
