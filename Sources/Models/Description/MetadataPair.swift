/// One of the file's `metadata_props`.
public struct MetadataPair: Sendable, Equatable {
  public var key: String
  public var value: String

  public init(key: String, value: String) {
    self.key = key
    self.value = value
  }
}

extension String {
  /// Fit for one line of an error: short, and without control characters, whatever the file says.
  package var quoted: String {
    var result = ""
    for scalar in unicodeScalars.prefix(100) {
      let isControl =
        scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
        || scalar.value == 0x2028 || scalar.value == 0x2029
      result.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
    }
    if unicodeScalars.count > 100 { result += "…" }
    return "\"\(result)\""
  }
}
