import Kernels
public import Tensors

/// A weight tensor as it is stored in the file.
public struct TensorInfo: Sendable {
  public let name: String
  public let dataType: DataType
  public let shape: [Int]
  public let byteCount: Int

  init(_ entry: TensorEntry) {
    name = entry.name
    dataType = entry.dataType
    shape = entry.shape.extents
    byteCount = unsafe entry.data.count
  }
}
