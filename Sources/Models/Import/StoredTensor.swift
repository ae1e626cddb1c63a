internal import COnnx
import Tensors

/// One initializer as the file has it, not yet checked.
@safe
struct StoredTensor {
  enum Source: Equatable {
    case none, raw, typed, strings, external, several
  }
  let index: Int
  let name: String
  let elementType: Int32
  let extents: [Int64]
  let source: Source
  /// With `raw`.
  @unsafe let data: UnsafeRawBufferPointer
  /// With `typed` and `strings`.
  let elementCount: Int
  let location: String
  /// Of external data; −1 when it is no number.
  let offset: Int64
  /// Of external data; −1 when there is none, −2 when it is no number.
  let length: Int64

  @unsafe
  init(_ tensor: rox_tensor, index: Int) {
    self.index = index
    name = unsafe String(tensor.name)
    elementType = unsafe tensor.data_type
    // No weight has so many axes; a file may say millions.
    extents = unsafe Array(UnsafeBufferPointer(start: tensor.dims, count: Swift.min(tensor.rank, 16)))
    source =
      switch unsafe tensor.source {
      case ROX_NONE: .none
      case ROX_RAW: .raw
      case ROX_TYPED: .typed
      case ROX_STRINGS: .strings
      case ROX_EXTERNAL: .external
      default: .several
      }
    unsafe data = UnsafeRawBufferPointer(start: tensor.data, count: tensor.data == nil ? 0 : tensor.byte_count)
    elementCount = unsafe tensor.element_count
    location = unsafe String(tensor.location)
    offset = unsafe tensor.offset
    length = unsafe tensor.length
  }
}

extension StoredTensor {
  /// Nil for types that no Rally model holds numbers in. Two numbers of q4 stand in a byte.
  var dataType: DataType? {
    switch elementType {
    case Int32(ROX_FLOAT): .f32
    case Int32(ROX_FLOAT16): .f16
    case Int32(ROX_BFLOAT16): .bf16
    case Int32(ROX_INT8): .int8
    case Int32(ROX_UINT8): .q4
    case Int32(ROX_INT64): .int64
    default: nil
    }
  }

  var isText: Bool { elementType == Int32(ROX_STRING) }

  /// The type in words, also when it is none of ours.
  var typeName: String {
    if isText { return "string" }
    return dataType?.description ?? "TensorProto.DataType \(elementType)"
  }
}
