public import Files
import Tensors

/// An opened and fully checked model file.
///
/// Weights stay where they are, in the mapped file; what an engine computes with is packed from them
/// by its own code. Immutable: any number of threads may read it.
public final class ModelFile: Sendable {
  /// The path it was opened by; nil from memory.
  public let path: String?
  public let description: ModelDescription
  /// All pairs, in the order of the file.
  public let metadata: [MetadataPair]
  /// Weights, in the order of `docs/format.md`; all data is finite and as long as its shape says.
  package let tensors: [TensorEntry]
  package let tokenizerContent: TokenizerContent?
  /// [n] ascending: quantiles of a rater's scores on its own data.
  public let scoreQuantiles: [Float]?
  /// A number that differs where pairs or weights differ, wherever they are stored (`Digest`).
  package let digest: UInt64
  /// Files alongside this one that hold tensors, relative to its folder, in the order in which they are first named.
  package let externalLocations: [String]

  private let indices: [String: Int]

  init(_ parts: ImportedModel, path: String?) {
    self.path = path
    description = parts.description
    metadata = parts.metadata
    tensors = parts.tensors
    tokenizerContent = parts.tokenizerContent
    scoreQuantiles = parts.scoreQuantiles
    indices = parts.indices
    digest = parts.digest
    externalLocations = parts.externalLocations
  }

  /// The tensor of that name, or nil.
  package func tensor(named name: String) -> TensorEntry? {
    indices[name].map { tensors[$0] }
  }

  /// The tensor of a layer outside the block.
  ///
  /// - Parameter suffix: what follows the layer's name, such as `mlp.up_proj.weight`.
  package func layerTensor(_ group: LayerGroup, layer: Int, suffix: String) -> TensorEntry? {
    tensor(named: "\(group.rawValue).\(layer).\(suffix)")
  }

  /// The tensor of a layer of the block in one recursion, and whether all recursions share it.
  package func blockTensor(
    recursion: Int, layer: Int, suffix: String
  ) -> (entry: TensorEntry, isShared: Bool)? {
    if let entry = tensor(named: "block.\(layer).\(suffix)") { return (entry, true) }
    return tensor(named: "block.\(recursion).\(layer).\(suffix)").map { ($0, false) }
  }

  package var facts: ModelFacts {
    ModelFacts(
      description: description, metadata: metadata, tensors: tensors.map(TensorInfo.init),
      tokenizerContent: tokenizerContent, digest: digest)
  }

  /// Says that the data of `entry` will not be read soon: its pages may leave memory. Reading it
  /// later still works.
  package func release(_ entry: TensorEntry) {
    unsafe entry.storage?.release(entry.data)
  }
}

/// Memory that tensors point into.
package protocol TensorBytes: AnyObject, Sendable {
  /// The range may leave memory, if it is part of this and can be read again.
  @unsafe func release(_ range: UnsafeRawBufferPointer)
}

extension MappedFile: TensorBytes {}

/// Bytes, and what they are part of; nil for those that the caller of `open` keeps.
typealias StoredBytes = (bytes: UnsafeRawBufferPointer, storage: (any TensorBytes)?)

/// Elements that were decoded from a typed field.
final class DecodedBytes: TensorBytes {
  private let storage: AlignedStorage<UInt8>

  /// - Throws: `outOfMemory`.
  init(byteCount: Int) throws(RallyError) {
    storage = try AlignedStorage(count: byteCount)
  }

  @unsafe var base: UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(storage.base) }
  @unsafe func release(_ range: UnsafeRawBufferPointer) {}
}
