import Files
import JSON
import Models

/// A folder as Hugging Face's libraries save a model: `config.json` and its tensors in one file or several.
struct CheckpointFolder: Sendable {
  let files: [SafetensorsFile]
  /// What `config.json` says; nil where there is none.
  let configuration: CheckpointConfiguration?

  /// - Throws: `fileNotFound` where there is neither `model.safetensors` nor its index; `corruptFile`,
  ///   `externalDataForbidden`, and what `SafetensorsFile` throws.
  init(path: String, limits: ModelLimits) throws(RallyError) {
    let folder = path.hasSuffix("/") ? path : path + "/"
    configuration = try CheckpointConfiguration(folder: folder, limits: limits)
    let (single, index) = (folder + "model.safetensors", folder + "model.safetensors.index.json")
    var names: [String] = []
    if FileIdentity(path: single) != nil {
      names = ["model.safetensors"]
    } else if FileIdentity(path: index) != nil {
      names = try Self.shards(index, limits)
    } else {
      throw RallyError(
        .fileNotFound, path, expected: "model.safetensors or model.safetensors.index.json in the folder",
        found: "neither", remedy: "save the checkpoint as safetensors")
    }
    var files: [SafetensorsFile] = []
    for name in names { files.append(try SafetensorsFile(path: folder + name, limits: limits)) }
    self.files = files
  }

  /// The file names of an index, each once, sorted.
  private static func shards(_ path: String, _ limits: ModelLimits) throws(RallyError) -> [String] {
    var names: Set<String> = []
    try JSONFile.read(path, limits) { (key, scanner) throws(JSONError) in
      guard key == "weight_map" else { return try scanner.skipValue() }
      try scanner.members { (scanner) throws(JSONError) in
        _ = try scanner.string()
        try scanner.require(":")
        names.insert(String(decoding: try scanner.string(), as: UTF8.self))
      }
    }
    for name in names where name.isEmpty || name.utf8.contains(UInt8(ascii: "/")) || name.utf8.contains(0) {
      throw RallyError(
        .externalDataForbidden, path, expected: "names of files in this folder", found: name.quoted)
    }
    guard !names.isEmpty else {
      throw RallyError(.corruptFile, path, expected: "a weight_map with file names", found: "none")
    }
    return names.sorted()
  }
}

/// The sizes of attention heads, of a checkpoint's `config.json`.
struct CheckpointConfiguration: Sendable {
  var headCount: Int?
  var keyValueHeadCount: Int?
  var headWidth: Int?
  var hiddenSize: Int?

  /// Nil where the folder has no `config.json`.
  /// - Parameter folder: ends with a slash.
  init?(folder: String, limits: ModelLimits) throws(RallyError) {
    let path = folder + "config.json"
    guard FileIdentity(path: path) != nil else { return nil }
    var found: [String: Int] = [:]
    try JSONFile.read(path, limits) { (key, scanner) throws(JSONError) in
      let names = ["num_attention_heads", "num_key_value_heads", "head_dim", "hidden_size"]
      if names.contains(key), scanner.next != UInt8(ascii: "n") {
        found[key] = try scanner.integer()
      } else {
        try scanner.skipValue()
      }
    }
    headCount = found["num_attention_heads"]
    keyValueHeadCount = found["num_key_value_heads"]
    headWidth = found["head_dim"]
    hiddenSize = found["hidden_size"]
  }

  /// Nil where it does not say how many heads there are, or says what cannot be.
  var geometry: HeadGeometry? {
    guard let headCount, headCount > 0 else { return nil }
    let groupCount = keyValueHeadCount ?? headCount
    guard groupCount > 0, headCount % groupCount == 0 else { return nil }
    guard let width = headWidth ?? hiddenSize.map({ $0 / headCount }), width > 0 else { return nil }
    return HeadGeometry(headCount: headCount, groupCount: groupCount, width: width)
  }
}

/// A file that holds one object of JSON.
private enum JSONFile {
  /// Calls `body` with each key, the scanner being at its value.
  /// - Throws: `corruptFile` naming the place, and what opening a file throws.
  static func read(
    _ path: String, _ limits: ModelLimits, _ body: (String, inout JSONScanner) throws(JSONError) -> Void
  ) throws(RallyError) {
    // As large as an index of millions of tensors.
    let file = try MappedFile(path: path, access: .copied, maxByteCount: min(100_000_000, limits.maximumFileByteCount))
    var scanner = JSONScanner(unsafe Array(file.bytes))
    do throws(JSONError) {
      scanner.skipSpace()
      try scanner.members { (scanner) throws(JSONError) in
        let key = String(decoding: try scanner.string(), as: UTF8.self)
        try scanner.require(":")
        try body(key, &scanner)
      }
    } catch {
      throw RallyError(.corruptFile, path, expected: "an object of JSON", found: error.message)
    }
  }
}
