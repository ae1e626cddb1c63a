package import Files
package import Tensors

/// What there is to know about a model besides the bytes of its weights: the same of a model file and of a prepared one.
package struct ModelFacts: Sendable {
  package let description: ModelDescription
  /// All pairs, in the order of the file.
  package let metadata: [MetadataPair]
  /// Weights as the model file stores them, in the order of `docs/format.md`.
  package let tensors: [TensorInfo]
  package let tokenizerContent: TokenizerContent?
  /// Of the pairs and the weights of the model file.
  package let digest: UInt64
  private let indices: [String: Int]

  init(
    description: ModelDescription, metadata: [MetadataPair], tensors: [TensorInfo], tokenizerContent: TokenizerContent?,
    digest: UInt64
  ) {
    self.description = description
    self.metadata = metadata
    self.tensors = tensors
    self.tokenizerContent = tokenizerContent
    self.digest = digest
    indices = Dictionary(tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  func tensor(named name: String) -> TensorInfo? { indices[name].map { tensors[$0] } }

  /// Recursions have layers of their own, or parts of layers.
  package var hasUntiedLayers: Bool { description.hasUntiedLayers { indices[$0] != nil } }

  /// What the tokenizer's tables will take: measured at the tokenizers of published models, rounded up. [ours]
  /// - Throws: `outOfMemory`.
  package func makeTokenizerShare() throws(RallyError) -> MemoryShare {
    guard let content = tokenizerContent else { return try MemoryShare(byteCount: 0) }
    let text = content.vocabulary.reduce(0) { $0 + $1.utf8.count } + content.merges.reduce(0) { $0 + $1.utf8.count }
    let entryCount = content.vocabulary.count + content.merges.count + (content.pipeline?.merges.count ?? 0)
    return try MemoryShare(byteCount: 4 * text + 200 * entryCount)
  }

  /// Elements of all weights; scales of int8 matrices do not count.
  package var parameterCount: Int { tensors.reduce(0) { $0 + $1.elementCount } }

  /// The same with what recursions share counted once per recursion.
  package var effectiveParameterCount: Int {
    tensors.reduce(0) { sum, tensor in
      let parts = tensor.name.split(separator: ".")
      // block.{j}.… is shared; block.{r}.{j}.… has a second number.
      let isShared = parts.count > 2 && parts[0] == "block" && Int(parts[2]) == nil
      return sum + tensor.elementCount * (isShared ? description.layers.recursionCount : 1)
    }
  }
}
