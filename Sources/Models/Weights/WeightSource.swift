import Kernels
import Files
import Tensors

/// Where a `WeightLoader` has weights from: a model file, whose tensors are packed now, or a prepared one.
protocol WeightSource {
  var facts: ModelFacts { get }
  /// The rows of a tensor, to be looked up.
  mutating func table(_ tensor: TensorInfo) throws(RallyError) -> EmbeddingTable
  /// Values of tensors as f32, one tensor after the other.
  mutating func floats(_ parts: WeightParts) throws(RallyError) -> FloatStorage
  /// Stacked matrices, packed in `dataType`.
  mutating func matrix(_ tensors: [TensorInfo], _ dataType: DataType) throws(RallyError) -> PackedMatrix
}
