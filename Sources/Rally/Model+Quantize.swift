public import Files
import Kernels
public import Models
public import Tensors

extension Model {
  /// Writes the model file at `path` to `outputPath` with its matrices stored as `dataType`: f32, bf16, int8 or q4.
  ///
  /// The result is an ordinary model file, checked as opening checks it, with the metadata, tokenizer and other tensors
  /// of the old one; `docs/format.md` says how matrices are stored. What stood at `outputPath` is replaced in one step,
  /// or untouched where this throws. The same file gives the same bytes.
  ///
  /// - Parameters:
  ///   - path: of a model file.
  ///   - outputPath: of the new one.
  ///   - dataType: what matrices are stored as.
  ///   - calibrationText: UTF-8, for int8 and q4: the model reads some 16 000 tokens of it, and channels are balanced and weights
  ///     rounded for what it was given. Takes the model's memory in f32 and some 2 KiB for each input of each matrix.
  ///   - progress: gets bytes of weights that were checked or stored, and those in all; false cancels.
  /// - Throws: as `ModelQuantizer.run`, and `invalidArgument` for another type; with a text all that `open` throws,
  ///   `unsupported` for a model without a tokenizer, `emptyInput`.
  @discardableResult
  public static func quantize(
    path: String, to outputPath: String, dataType: DataType, calibrationText: [UInt8]? = nil,
    progress: ModelQuantizer.Progress? = nil
  ) throws(RallyError) -> QuantizationReport {
    try InstructionSet.checkEnvironment()
    var quantizer = try ModelQuantizer(outputPath: outputPath, dataType: dataType, progress: progress)
    if let calibrationText {
      guard dataType.hasScales else {
        throw RallyError(
          .invalidArgument, "calibration text", expected: "none, with dtype \(dataType)", found: "one",
          remedy: "store the matrices as int8 or q4")
      }
      quantizer.calibration = try calibration(path: path, text: calibrationText, progress: progress)
    }
    return try quantizer.run(path: path)
  }
}
