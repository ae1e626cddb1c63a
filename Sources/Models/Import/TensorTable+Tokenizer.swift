import Files
import Tensors

extension TensorTable {
  /// `score.cdf` of a rater, if it has one.
  mutating func readQuantiles(
    into model: inout ImportedModel, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) {
    let name = "score.cdf"
    guard model.description.kind == .rater, contains(name) else { return }
    let entry = try entry(
      name, extents: [nil], types: [.f32], in: onnx, external: &external)
    guard entry.shape.elementCount > 0 else {
      throw RallyError(.invalidShape, name.quoted, expected: "at least one quantile", found: "\(entry.shape)")
    }
    if let place = entry.firstNotFinite() {
      throw RallyError(
        .notFinite, name.quoted, expected: "finite numbers", found: "a NaN or infinity at element \(place)")
    }
    let quantiles = entry.floats()
    for index in 1..<max(quantiles.count, 1) where quantiles[index] < quantiles[index - 1] {
      throw RallyError(
        .invalidValue, name.quoted, expected: "ascending numbers", found: "a smaller one at element \(index)")
    }
    model.scoreQuantiles = quantiles
  }

  /// The tokenizer's tensors, if the model has one.
  mutating func readTokenizer(
    into model: inout ImportedModel, from onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) {
    guard let tokenizer = model.description.tokenizer else { return }
    let vocabulary = try texts("tokenizer.vocab", in: onnx)
    guard vocabulary.count <= model.description.vocabularySize else {
      throw RallyError(
        .invalidTokenizer, "tokenizer.vocab",
        expected: "at most \(model.description.vocabularySize) entries, the vocabulary's size",
        found: "\(vocabulary.count)")
    }
    var merges: [String] = []
    if case .bytePair = tokenizer.kind { merges = try texts("tokenizer.merges", in: onnx) }
    let added = try ids(
      "tokenizer.added", below: vocabulary.count, in: onnx, external: &external)
    let special = try ids(
      "tokenizer.special", below: vocabulary.count, in: onnx, external: &external)
    var content = TokenizerContent(
      vocabulary: vocabulary, merges: merges, addedTokens: added, specialTokens: special)
    if case .pipeline(let pipeline) = tokenizer.kind {
      content.pipeline = try readPipeline(pipeline.model, content, from: onnx, external: &external)
    }
    model.tokenizerContent = content
  }

  mutating func texts(_ name: String, in onnx: borrowing OnnxModel) throws(RallyError) -> [String] {
    let tensor = try take(name, from: onnx)
    guard tensor.isText else {
      throw RallyError(.invalidDataType, name.quoted, expected: "string", found: tensor.typeName)
    }
    guard tensor.extents.count == 1, let count = tensor.extents.first, count >= 0 else {
      throw RallyError(.invalidShape, name.quoted, expected: "[any]", found: "\(tensor.extents)")
    }
    guard count <= maximumTokenizerEntryCount else {
      throw RallyError(
        .limitExceeded, name.quoted, expected: "at most \(maximumTokenizerEntryCount) entries", found: "\(count)")
    }
    guard tensor.source == .strings || (tensor.source == .none && count == 0) else {
      throw RallyError(
        .corruptFile, name.quoted, expected: "its strings in string_data", found: "data of another kind, or none")
    }
    guard tensor.elementCount == count else {
      throw RallyError(.truncatedData, name.quoted, expected: "\(count) strings", found: "\(tensor.elementCount)")
    }
    return onnx.strings(tensor)
  }

  private mutating func ids(
    _ name: String, below count: Int, in onnx: borrowing OnnxModel, external: inout ExternalData
  ) throws(RallyError) -> [Int32] {
    let entry = try entry(
      name, extents: [nil], types: [.int64], in: onnx, external: &external)
    guard entry.shape.elementCount <= count else {
      throw RallyError(
        .invalidTokenizer, name, expected: "at most \(count) ids", found: "\(entry.shape.elementCount)")
    }
    var ids: [Int32] = []
    for id in entry.integers() {
      guard id >= 0, id < count, let token = Int32(exactly: id) else {
        throw RallyError(
          .invalidTokenizer, name, expected: "ids below \(count), the vocabulary's entries", found: "\(id)")
      }
      ids.append(token)
    }
    return ids
  }
}
