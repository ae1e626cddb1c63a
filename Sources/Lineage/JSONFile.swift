import Files
import JSON
import Models

/// A file that holds one object of JSON.
enum JSONFile {
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
