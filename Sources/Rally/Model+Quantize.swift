import Kernels
public import Models
public import Tensors

extension Model {
  /// Writes the model file at `path` to `outputPath` with its matrices stored as `dataType`: f32, bf16 or int8.
  ///
  /// The result is an ordinary model file, checked as opening checks it, with the metadata, tokenizer and other tensors
  /// of the old one; `docs/format.md` says how matrices are stored. What stood at `outputPath` is replaced in one step,
  /// or untouched where this throws. The same file gives the same bytes.
  ///
  /// - Parameter progress: gets bytes of weights that were checked or stored, and those in all; false cancels.
  /// - Throws: as `ModelQuantizer.run`, and `invalidArgument` for another type.
  @discardableResult
  public static func quantize(
    path: String, to outputPath: String, dataType: DataType, progress: ModelQuantizer.Progress? = nil
  ) throws(RallyError) -> QuantizationReport {
    try InstructionSet.checkEnvironment()
    var quantizer = try ModelQuantizer(outputPath: outputPath, dataType: dataType, progress: progress)
    return try quantizer.run(path: path)
  }
}
