public import Tensors

/// A weight tensor as it is stored in the model file.
public struct TensorInfo: Sendable {
  public let name: String
  public let dataType: DataType
  public let shape: [Int]
  public let byteCount: Int
  let elementCount: Int

  init(_ entry: TensorEntry) {
    name = entry.name
    dataType = entry.dataType
    shape = entry.shape.extents
    elementCount = entry.shape.elementCount
    byteCount = unsafe entry.data.count
  }

  init(name: String, dataType: DataType, shape: Shape, byteCount: Int) {
    (self.name, self.dataType, self.byteCount) = (name, dataType, byteCount)
    (self.shape, elementCount) = (shape.extents, shape.elementCount)
  }
}
