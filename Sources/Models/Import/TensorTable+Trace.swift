import Files

extension TensorTable {
  /// What another tool left in a file that it rewrote, known by the names that it gave to weights.
  ///
  /// Seen with onnxruntime 1.32 (offline optimisation and `quantize_dynamic`), onnxsim 0.8 and onnxslim 0.1: a weight and the
  /// Transpose after it become one constant under the name of the Transpose's output, which ends with `/transposed` in this project's graphs;
  /// a quantised weight is `NAME_quantized`.
  struct Trace {
    let found: String
    let remedy: String

    private static let origin = "open the file that it was made of"

    /// - Returns: nil where no name is one of theirs.
    init?(in names: [String], missing: String) {
      if let name = names.first(where: { $0 == "\(missing)_quantized" }) {
        found = name.quoted
        remedy = "another tool quantised this file; \(Self.origin), and store it smaller by rally quantize"
        return
      }
      let folded = "\(missing)/transposed"
      guard let name = names.first(where: { $0 == folded }) ?? names.first(where: { $0.hasSuffix(".weight/transposed") })
      else { return nil }
      found = name == folded ? name.quoted : "none, and \(name.quoted)"
      remedy =
        "another tool optimised this file (onnxruntime's offline optimisation, onnxsim and onnxslim fold constants so); "
        + "\(Self.origin): Rally needs no such step"
    }
  }
}
