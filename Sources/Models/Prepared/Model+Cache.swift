import Files
import Tensors

extension Model {
  /// Opens the prepared file of a model, which is written first where there is none that this processor can use.
  ///
  /// - Throws: as `open`; `io` where the folder cannot be written to.
  static func open(
    _ file: borrowing OpenedFile, cache: PreparedCache, _ options: ModelOptions
  ) throws(RallyError) -> Model {
    var refused = false
    if let note = cache.note(of: file) {
      do throws(RallyError) {
        return try open(note, cache, options)
      } catch  where replaceable.contains(error.code) {
        refused = error.code != .fileNotFound
      }
    }
    try cache.makeFolder()
    let note = try fill(cache, from: file, options, replaces: refused)
    do throws(RallyError) {
      return try open(note, cache, options)
    } catch  where !refused && replaceable.contains(error.code) {
      // What stood there under this name was of no use.
      return try open(fill(cache, from: file, options, replaces: true), cache, options)
    }
  }

  /// What is wrong with a file, and right with one that is written in its place.
  private static let replaceable: Set<RallyError.Code> = [
    .fileNotFound, .emptyFile, .corruptFile, .truncatedData, .unsupportedVersion, .missingTensor, .unknownTensor,
    .duplicateTensor, .invalidShape, .invalidDataType, .invalidTokenizer, .io, .unsupported,
  ]

  private static func open(
    _ note: PreparedCache.Note, _ cache: PreparedCache, _ options: ModelOptions
  ) throws(RallyError) -> Model {
    let path = cache.path(note.original.digest, options.dataType ?? note.dataType)
    let opened = try OpenedFile(path: path)
    guard PreparedFile.isPrepared(opened) else {
      throw RallyError(.corruptFile, path, expected: "a prepared file", found: "another")
    }
    return try Model(opened, options, looksForOriginal: false)
  }

  private static func fill(
    _ cache: PreparedCache, from file: borrowing OpenedFile, _ options: ModelOptions, replaces: Bool
  ) throws(RallyError) -> PreparedCache.Note {
    let packed = try pack(file, options)
    try write(packed, to: cache.path(packed.content.digest, packed.model.info.dataType), yields: !replaces)
    let note = PreparedCache.Note(packed.content, packed.file.bestDataType)
    try cache.write(note, of: file)
    return note
  }
}
