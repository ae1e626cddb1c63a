import Files
import JSON
import Models

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
