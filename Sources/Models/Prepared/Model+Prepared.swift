public import Files
import Tensors

extension Model {
  /// - Throws: `unsupported` for a file that is not prepared, and what opening a file throws.
  public static func requirePrepared(path: String) throws(RallyError) {
    guard try !PreparedFile.isPrepared(OpenedFile(path: path)) else { return }
    throw RallyError(.unsupported, path, expected: "a prepared file", found: "another", remedy: "write one with rally prepare")
  }

  /// - Parameter original: what `path` was made of; nil where it is the original.
  package static func prepare(
    path: String, to outputPath: String, _ options: PrepareOptions, original: PreparedOriginal? = nil
  ) throws(RallyError) {
    var opening = ModelOptions()
    (opening.dataType, opening.threads) = (options.dataType, options.threads)
    opening.progress = options.progress
    let packed = try pack(OpenedFile(path: path), opening)
    try write(packed, original: original, to: outputPath, progress: options.progress)
  }

  struct Packed {
    let file: ModelFile
    let model: Model
    let content: PreparedOriginal
  }

  /// Opens a model file and notes what it was.
  static func pack(_ opened: borrowing OpenedFile, _ options: ModelOptions) throws(RallyError) -> Packed {
    try options.check()
    let signature = opened.signature()
    let file = try ModelFile.open(opened, limits: options.limits, log: options.log, progress: options.checkProgress)
    let model = try Model(file, options)
    let content = try PreparedOriginal(opened.path, dataFiles: file.externalLocations)
    guard try OpenedFile(path: opened.path).signature() == signature else {
      throw RallyError(
        .io, opened.path, expected: "one file while it is read", found: "it was changed meanwhile", remedy: "try again")
    }
    return Packed(file: file, model: model, content: content)
  }

  static func write(
    _ packed: Packed, original: PreparedOriginal? = nil, to path: String, yields: Bool = false, progress: ModelFile.Progress? = nil
  ) throws(RallyError) {
    try PreparedFile.write(
      packed.model.weights, packed.file.facts, contentDigest: packed.content.digest, original: original ?? packed.content,
      madeOf: packed.file.path ?? path, to: path, yields: yields, progress: progress)
  }

  /// Maps a prepared file.
  /// - Parameter looksForOriginal: whether one alongside it must be what it was made of.
  convenience init(
    _ opened: borrowing OpenedFile, _ options: ModelOptions, looksForOriginal: Bool = true
  ) throws(RallyError) {
    var limits = options.limits
    limits.copiesFiles = limits.copiesFiles || !options.sharesWeights
    // Mapped or copied: they are read at each pass.
    let weightShare = try MemoryShare(byteCount: opened.byteCount)
    let file = try PreparedFile(opened, limits: limits)
    if let wanted = options.dataType, wanted != file.dataType {
      throw RallyError(
        .invalidArgument, "dtype", expected: "\(file.dataType), for which \(file.path.quoted) was prepared", found: "\(wanted)",
        remedy: "open the original, or prepare it for \(wanted)")
    }
    if looksForOriginal { try file.original.refuseOther(alongside: file.path) }
    guard options.progress?(0, 1) ?? true else {
      throw RallyError(.cancelled, "opening the model", found: "cancelled by the progress callback")
    }
    let tokenizerShare = try file.facts.makeTokenizerShare()
    self.init(
      file.facts, file.weights, try file.facts.makeTokenizer(), path: file.path, dataFiles: [], contentDigest: file.contentDigest,
      shares: [weightShare, tokenizerShare])
    _ = options.progress?(1, 1)
  }
}

extension PreparedOriginal {
  package init(path: String) throws(RallyError) {
    self = try PreparedOriginal(path, dataFiles: ModelFile.open(path: path).externalLocations)
  }

  fileprivate init(_ path: String, dataFiles: [String]) throws(RallyError) {
    let folder = Model.folder(of: path)
    let names = [String(path.dropFirst(folder.count))] + dataFiles
    var files: [File] = []
    for name in names {
      guard let stamp = FileStamp(path: folder + name) else {
        throw RallyError(.fileNotFound, folder + name, expected: "a file", found: "none")
      }
      files.append(File(name: name, stamp: stamp))
    }
    self.init(files: files, digest: try Model.contentDigest(names.map { folder + $0 }))
  }

  /// Makes sure that the original, if it stands alongside the prepared file, is the one that this was made of. Reads it where it
  /// was changed later.
  /// - Throws: `mismatch`.
  fileprivate func refuseOther(alongside path: String) throws(RallyError) {
    let folder = Model.folder(of: path)
    guard let first = files.first, files.allSatisfy({ !$0.name.isEmpty && OpenedFile.staysBeneath($0.name) }),
      FileStamp(path: folder + first.name) != nil
    else { return }
    let now = files.map { FileStamp(path: folder + $0.name) }
    if now == files.map(\.stamp) { return }
    if now.map({ $0?.byteCount }) == files.map(\.stamp.byteCount), try Model.contentDigest(files.map { folder + $0.name }) == digest {
      return
    }
    throw RallyError(
      .mismatch, path, expected: "the original that it was prepared from", found: "\(first.name.quoted) was changed since",
      remedy: "prepare it again")
  }
}
