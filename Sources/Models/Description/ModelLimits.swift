/// How much a file may ask for before it is refused with `limitExceeded`.
public struct ModelLimits: Sendable, Equatable {
  /// Of the model file itself. ONNX's own limit of 2 GB holds besides; external data is not counted.
  public var maximumFileByteCount = Int.max
  /// Of each tensor, as stored.
  public var maximumTensorByteCount = Int.max
  /// Of all metadata keys and values together. A thousand times what a model needs.
  public var maximumMetadataByteCount = 16 << 20
  /// Of the graph: nodes, types, names, attributes. The largest graphs that the converter writes take
  /// a few MB; libprotobuf may take some twenty times as much while the file is opened.
  public var maximumStructureByteCount = 64 << 20
  /// Messages and names of the graph; libprotobuf takes some 100 bytes for each.
  public var maximumStructureItemCount = 1 << 20
  /// Entries of the tokenizer's vocabulary and of its merges, each.
  public var maximumTokenizerEntryCount = 4 << 20
  /// Opened files are read into memory instead of mapped: see `MappedFile.Access`.
  public var copiesFiles = false

  public init() {}
}

/// One line of text about what is being done, without a newline.
public enum ModelLog: Int32, Sendable {
  case debug = 0
  case info = 1
  case warning = 2
}
