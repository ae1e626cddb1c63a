public import Files

extension ModelFile {
  public typealias Log = (ModelLog, String) -> Void
  /// Gets bytes that were checked and bytes in all; returns false to cancel.
  public typealias Progress = (UInt64, UInt64) -> Bool

  /// Opens and checks the file at `path`.
  ///
  /// The file is mapped. One that is cut short by another program while it is mapped raises SIGBUS when
  /// the missing part is read; `limits.copiesFiles` avoids that for the price of the file's size.
  ///
  /// - Throws: the file as a file: `fileNotFound`, `notAFile`, `emptyFile`, `io`; as a model: all codes
  ///   from `corruptFile` on; `limitExceeded`, `outOfMemory`, `cancelled`. Each names the thing.
  /// - Complexity: one pass over the weights, at the speed of memory; allocates what the graph and the
  ///   tokenizer need, no weights.
  public static func open(
    path: String, limits: ModelLimits = ModelLimits(), log: Log? = nil, progress: Progress? = nil
  ) throws(RallyError) -> ModelFile {
    let opened = try OpenedFile(path: path)
    return try open(opened, limits: limits, log: log, progress: progress)
  }

  /// The same of a file that was opened by other means.
  /// - Throws: also `unsupported` for a prepared file, which has no tensors as they were stored.
  package static func open(
    _ opened: borrowing OpenedFile, limits: ModelLimits = ModelLimits(), log: Log? = nil, progress: Progress? = nil
  ) throws(RallyError) -> ModelFile {
    let path = opened.path
    try PreparedFile.refuse(opened)
    let file = try MappedFile(
      opened, access: limits.copiesFiles ? .copied : .mapped, maxByteCount: limits.maximumFileByteCount)
    let folders = try ExternalData.folders(of: opened)
    var importer = ModelImporter(
      limits: limits, external: ExternalData(folders: folders, limits: limits), log: log, progress: progress)
    return ModelFile(try unsafe importer.run(file.bytes, path: path, keeping: file), path: path)
  }

  /// Opens a model that lies in memory; it may have no external data.
  ///
  /// - Parameters:
  ///   - bytes: read as long as the result and its tensors are in use.
  ///   - limits: what a file may be at most.
  ///   - log: gets what is odd and no error.
  ///   - progress: gets bytes of weights that were checked, and those in all; false cancels.
  @unsafe
  public static func open(
    bytes: UnsafeRawBufferPointer, limits: ModelLimits = ModelLimits(), log: Log? = nil,
    progress: Progress? = nil
  ) throws(RallyError) -> ModelFile {
    guard bytes.count > 0 else {
      throw RallyError(.emptyFile, "model in memory", expected: "a model", found: "0 bytes")
    }
    guard unsafe !bytes.starts(with: PreparedHeader.magic) else {
      throw RallyError(
        .unsupported, "model in memory", expected: "a model file", found: "a prepared one, which is mapped",
        remedy: "open it by its path, or use the original")
    }
    guard bytes.count <= limits.maximumFileByteCount else {
      throw RallyError(
        .limitExceeded, "model in memory", expected: "at most \(limits.maximumFileByteCount) bytes",
        found: "\(bytes.count)")
    }
    var importer = ModelImporter(
      limits: limits, external: ExternalData(folders: [], limits: limits), log: log, progress: progress)
    return ModelFile(try unsafe importer.run(bytes, path: "model in memory", keeping: nil), path: nil)
  }
}
