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
