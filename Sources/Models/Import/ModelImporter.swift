import Files
import Kernels

/// Everything that a `ModelFile` keeps.
struct ImportedModel {
  var description: ModelDescription
  var metadata: [MetadataPair]
  var tensors: [TensorEntry] = []
  var indices: [String: Int] = [:]
  var tokenizerContent: TokenizerContent?
  var scoreQuantiles: [Float]?
  /// Of all pairs and all weights.
  var digest: UInt64 = 0
  var externalLocations: [String] = []
}

/// Reads one model: versions, description, tensors, tokenizer, then a look at every weight.
struct ModelImporter {
  let limits: ModelLimits
  var external: ExternalData
  let log: ModelFile.Log?
  let progress: ModelFile.Progress?
  /// What was checked may leave memory: for those who read the weights once more, one after the other.
  var releasesChecked = false

  /// - Parameter file: what `bytes` belong to, to be kept with the result.
  @unsafe
  mutating func run(
    _ bytes: UnsafeRawBufferPointer, path: String, keeping file: MappedFile?
  ) throws(RallyError) -> ImportedModel {
    let onnx = unsafe try OnnxModel(bytes, limits: limits, path: path)
    guard onnx.hasGraph else {
      throw RallyError(.corruptFile, path, expected: "an ONNX model", found: "one without a graph")
    }
    let metadata = try onnx.metadata(maximumByteCount: limits.maximumMetadataByteCount)
    let description = try ModelDescription(metadata: metadata)
    try checkVersions(onnx)
    var model = ImportedModel(description: description, metadata: metadata)
    var table = try TensorTable(onnx, limits: limits, file: file)
    try table.readWeights(into: &model, from: onnx, external: &external)
    try model.description.check(untied: description.hasUntiedLayers { model.indices[$0] != nil })
    try table.readQuantiles(into: &model, from: onnx, external: &external)
    try table.readTokenizer(into: &model, from: onnx, external: &external)
    try table.finish()
    model.externalLocations = onnx.externalLocations
    try checkGraph(onnx)
    model.digest = try checkFinite(model)
    return model
  }

  /// The oldest that have what the format needs: opset 7 has today's broadcasting, IR 3 opset imports.
  private func checkVersions(_ onnx: borrowing OnnxModel) throws(RallyError) {
    let (intermediate, operators) = (onnx.intermediateVersion, onnx.operatorSetVersion)
    guard intermediate >= 3 else {
      throw RallyError(
        .unsupportedVersion, "ONNX IR version", expected: "3 or newer", found: "\(intermediate)")
    }
    guard operators >= 7 else {
      throw RallyError(
        .unsupportedVersion, "ONNX opset", expected: "7 or newer of the standard operators",
        found: operators == 0 ? "none" : "\(operators)")
    }
  }

  private func checkGraph(_ onnx: borrowing OnnxModel) throws(RallyError) {
    switch onnx.check() {
    case .passed:
      log?(.debug, "the ONNX checker and shape inference passed")
    case .skipped(let reason):
      log?(.info, "the ONNX checker was skipped: \(reason)")
    case .failed(let reason):
      throw RallyError(.corruptFile, "ONNX graph", expected: "one that the ONNX checker passes", found: reason)
    }
  }

  /// Reads every weight once: makes sure that it is finite, and takes it into the digest.
  private func checkFinite(_ model: ImportedModel) throws(RallyError) -> UInt64 {
    var digest = Digest()
    for pair in model.metadata {
      digest.absorb(pair.key)
      digest.absorb(pair.value)
    }
    let tensors = model.tensors
    let total = tensors.reduce(UInt64(0)) { $0 + UInt64(unsafe $1.data.count) }
    var done: UInt64 = 0
    for tensor in tensors {
      guard progress?(done, total) ?? true else {
        throw RallyError(.cancelled, "opening the model", found: "cancelled by the progress callback")
      }
      digest.absorb(tensor.name)
      digest.absorb(tensor.dataType.description)
      for extent in tensor.shape.extents { digest.absorb(extent) }
      if let place = tensor.examine(&digest) {
        throw RallyError(
          .notFinite, tensor.name.quoted, expected: "finite numbers", found: "a NaN or infinity at element \(place)")
      }
      unsafe done += UInt64(tensor.data.count)
      if releasesChecked { unsafe tensor.storage?.release(tensor.data) }
    }
    _ = progress?(total, total)
    return digest.value
  }
}
