import Kernels
package import Files
package import Tensors

/// A model whose weights were packed once, in exactly the layout that products read, to be mapped.
///
/// All processes that open one share its pages. Header and description are read into memory and checked against their digests;
/// the weights are looked at by `verify` alone. Whatever a file says, a view of its weights has the length that the model's
/// shapes ask for.
///
/// A mapped page that another process cuts off raises SIGBUS, which no library can answer. So a prepared file is written without the
/// right to write, takes its place in one step, and its length is asked for before each pass (`MappedFile.checkLength`);
/// `ModelLimits.copiesFiles` reads it into memory instead.
package struct PreparedFile {
  package let path: String
  package let facts: ModelFacts
  package let dataType: DataType
  package let contentDigest: [UInt8]
  package let weights: ModelWeights
  package let original: PreparedOriginal

  /// Whether `file` begins as prepared files do.
  package static func isPrepared(_ file: borrowing OpenedFile) -> Bool {
    guard file.byteCount >= PreparedHeader.magic.count else { return false }
    var bytes = [UInt8](repeating: 0, count: PreparedHeader.magic.count)
    let isRead = unsafe bytes.withUnsafeMutableBytes { buffer in
      do throws(RallyError) {
        try unsafe file.read(into: buffer, at: 0)
        return true
      } catch { return false }
    }
    return isRead && bytes == PreparedHeader.magic
  }

  /// - Throws: `unsupported` for a prepared file, where the tensors of a model file are needed.
  static func refuse(_ file: borrowing OpenedFile) throws(RallyError) {
    guard isPrepared(file) else { return }
    throw RallyError(
      .unsupported, file.path, expected: "a model file, with its weights as they are stored", found: "a prepared one",
      remedy: "use the original")
  }

  /// - Throws: `truncatedData`, `corruptFile` for a file that was cut or changed; `unsupportedVersion` for one of another version
  ///   or processor; `limitExceeded`, `outOfMemory`, `io`, and what
  ///   is wrong with a description.
  package init(_ file: borrowing OpenedFile, limits: ModelLimits = ModelLimits()) throws(RallyError) {
    let header = try Self.header(of: file)
    let path = file.path
    let front = unsafe try Self.withBytes(of: file, 0..<header.weightsOffset) { (bytes) throws(RallyError) in
      let description = unsafe UnsafeRawBufferPointer(rebasing: bytes[PreparedHeader.byteCount...])
      var digest = Digest()
      unsafe digest.absorb(description)
      guard digest.value == header.frontDigest else { throw Self.changed(path, "its description") }
      // Texts and lists of it cannot fail in getting memory: there is enough before they are read.
      _ = try AlignedStorage<UInt8>(count: 8 * bytes.count)
      return unsafe try PreparedFront(description, path: path, limits: limits)
    }
    let mapped = try MappedFile(
      file, access: limits.copiesFiles ? .copied : .mapped, maxByteCount: limits.maximumFileByteCount, isWatched: true)
    self.path = path
    (facts, dataType, contentDigest) = (front.facts, front.dataType, front.contentDigest)
    original = front.original
    let source = try PreparedWeights(front, start: header.weightsOffset, in: mapped)
    weights = try ModelWeights(source, dataType: front.dataType, mappedFile: mapped)
  }

  /// Looks at every byte, too, without mapping them.
  /// - Throws: as `init`; `corruptFile`; `cancelled`.
  package static func verify(
    _ file: borrowing OpenedFile, limits: ModelLimits = ModelLimits(), progress: ModelFile.Progress? = nil
  ) throws(RallyError) {
    let header = try Self.header(of: file)
    _ = try PreparedFile(file, limits: limits).facts.makeTokenizer()
    var digest = Digest()
    let total = file.byteCount
    for start in stride(from: header.weightsOffset, to: total, by: PreparedHeader.chunkByteCount) {
      guard progress?(UInt64(start), UInt64(total)) ?? true else {
        throw RallyError(.cancelled, "verifying", found: "cancelled by the progress callback")
      }
      let range = start..<min(start + PreparedHeader.chunkByteCount, total)
      unsafe try withBytes(of: file, range) { (bytes) throws(RallyError) in unsafe digest.absorb(bytes) }
    }
    guard digest.value == header.weightsDigest else { throw changed(file.path, "its weights") }
  }

  private static func header(of file: borrowing OpenedFile) throws(RallyError) -> PreparedHeader {
    let path = file.path
    guard file.byteCount >= PreparedHeader.byteCount else {
      throw RallyError(
        .truncatedData, path, expected: "a header of \(PreparedHeader.byteCount) bytes", found: "\(file.byteCount): the file was cut",
        remedy: PreparedHeader.remedy)
    }
    let bytes = unsafe try withBytes(of: file, 0..<PreparedHeader.byteCount) { unsafe Array($0) }
    let header = try PreparedHeader(bytes, path: path)
    guard header.layout == PackedMatrix.layout else {
      throw RallyError(
        .unsupportedVersion, path, expected: "weights prepared for this processor, \(PackedMatrix.layout.quoted)",
        found: header.layout.quoted, remedy: PreparedHeader.remedy)
    }
    guard header.fileByteCount == file.byteCount else {
      throw RallyError(
        .truncatedData, path, expected: "\(header.fileByteCount) bytes", found: "\(file.byteCount): the file was cut or added to",
        remedy: PreparedHeader.remedy)
    }
    guard header.weightsOffset > PreparedHeader.byteCount, header.weightsOffset % PreparedHeader.pageByteCount == 0,
      header.weightsOffset <= min(file.byteCount, PreparedHeader.frontLimit)
    else {
      throw RallyError(
        .corruptFile, path, expected: "weights on a page within \(file.byteCount) bytes", found: "at byte \(header.weightsOffset)",
        remedy: PreparedHeader.remedy)
    }
    return header
  }

  /// A range of the file, read into memory for the length of `body`.
  @unsafe
  private static func withBytes<Result>(
    of file: borrowing OpenedFile, _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(RallyError) -> Result
  ) throws(RallyError) -> Result {
    let storage = try AlignedStorage<UInt8>(count: range.count)
    try unsafe file.read(into: UnsafeMutableRawBufferPointer(start: storage.base, count: range.count), at: range.lowerBound)
    return try unsafe body(storage.bytes)
  }

  private static func changed(_ path: String, _ what: String) -> RallyError {
    RallyError(
      .corruptFile, path, expected: "\(what) with the digest that was noted", found: "another: the file was changed",
      remedy: PreparedHeader.remedy)
  }
}
