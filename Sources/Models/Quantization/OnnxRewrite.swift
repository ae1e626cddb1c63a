internal import COnnx
import Files
import Tensors

/// The bytes of a model whose initializers are stored in other types: pieces, with the data of a tensor after each.
@safe
struct OnnxRewrite: ~Copyable {
  @unsafe private let handle: OpaquePointer

  /// Data that stands after a piece.
  enum Data {
    case none
    /// Of the storage with this index.
    case elements(Int)
    /// Of the int8 or q4 matrix with this index.
    case scales(Int)
    case balance(Int)
  }

  /// - Parameter location: of the data file, relative to the model.
  /// - Throws: `unsupported` where the graph reads a weight in a way that cannot be followed; `limitExceeded`,
  ///   `outOfMemory`.
  init(_ model: borrowing OnnxModel, _ storages: [TensorStorage], location: String, path: String) throws(RallyError) {
    let wanted = storages.map { storage in
      rox_storage(
        tensor: storage.index, data_type: storage.dataType.elementType, byte_count: UInt64(storage.byteCount),
        scale_count: UInt64(storage.scaleCount), balance_count: UInt64(storage.balance.count),
        offset: Int64(storage.offset ?? -1))
    }
    var rewrite: OpaquePointer?
    var error = rox_error()
    var location = location
    let status = location.withUTF8 { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) { bytes in
        unsafe rox_rewrite_open(
          model.handle, wanted, wanted.count, rox_text(data: bytes.baseAddress, size: bytes.count), &rewrite, &error)
      }
    }
    guard status == ROX_OK, let rewrite = unsafe rewrite else { throw RallyError(status, error, in: path) }
    unsafe handle = rewrite
  }

  deinit { unsafe rox_rewrite_close(handle) }

  var pieceCount: Int { unsafe rox_rewrite_piece_count(handle) }

  /// The bytes live as long as this object.
  @unsafe
  func piece(_ index: Int) -> (bytes: UnsafeRawBufferPointer, data: Data) {
    var piece = unsafe rox_piece()
    unsafe rox_rewrite_piece_at(handle, index, &piece)
    let data: Data =
      switch unsafe piece.data {
      case ROX_ELEMENTS: unsafe .elements(piece.storage)
      case ROX_SCALES: unsafe .scales(piece.storage)
      case ROX_BALANCE: unsafe .balance(piece.storage)
      default: .none
      }
    return unsafe (UnsafeRawBufferPointer(start: piece.bytes.data, count: piece.bytes.size), data)
  }
}

extension DataType {
  fileprivate var elementType: Int32 {
    switch self {
    case .f32: Int32(ROX_FLOAT)
    case .f16: Int32(ROX_FLOAT16)
    case .bf16: Int32(ROX_BFLOAT16)
    case .int8: Int32(ROX_INT8)
    case .q4: Int32(ROX_UINT8)
    case .int64: Int32(ROX_INT64)
    case .int32: preconditionFailure("no initializer of a model is int32")
    }
  }
}
