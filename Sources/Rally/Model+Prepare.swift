public import Files
public import Models
import Tensors

extension Model {
  /// Writes the weights of the model file at `path` to `outputPath`, packed as products read them, with all else that the model
  /// needs: a file that `open` maps, whose pages all processes share.
  ///
  /// It belongs to this processor's instruction set and this version of the library; another one refuses it, and prepares it
  /// again. It gives the same bits as the model file opened with that type, and has its fingerprint. What stood at `outputPath` is
  /// replaced in one step, or untouched where this throws.
  ///
  /// - Throws: all that `open` and `quantize` throw; `invalidArgument` where the output is the input; `notAFile`, `io` for it.
  public static func prepare(
    path: String, to outputPath: String, options: PrepareOptions = PrepareOptions()
  ) throws(RallyError) {
    if let output = FileIdentity(path: outputPath), output == FileIdentity(path: path) {
      throw RallyError(
        .invalidArgument, outputPath, expected: "another file than the input", found: "the same file",
        remedy: "write to another name: the original stays the truth")
    }
    guard let text = options.calibrationText else {
      return try prepare(path: path, to: outputPath, options)
    }
    let dataType = options.dataType ?? .int8
    guard dataType.hasScales else {
      throw RallyError(
        .invalidArgument, "calibration text", expected: "none, with dtype \(dataType)", found: "one",
        remedy: "prepare it as int8 or q4")
    }
    let original = try PreparedOriginal(path: path)
    // Where the output shall stand there is room for it, too.
    let calibrated = "\(outputPath).\(UInt64.random(in: .min ... .max)).calibrated"
    defer { for file in [calibrated, calibrated + ".data"] { SystemPath.remove(file) } }
    try quantize(path: path, to: calibrated, dataType: dataType, calibrationText: text, progress: options.progress)
    var rest = options
    rest.dataType = dataType
    try prepare(path: calibrated, to: outputPath, rest, original: original)
  }
}
