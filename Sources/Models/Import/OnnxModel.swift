internal import COnnx
import Files
import Tensors

/// The flat view of one ONNX model, through the C++ shim; closed with its owner.
///
/// It points into the bytes it was opened from, which the caller keeps alive.
@safe
struct OnnxModel: ~Copyable {
  @unsafe let handle: OpaquePointer

  /// - Throws: `corruptFile`, `limitExceeded`, `outOfMemory`.
  @unsafe
  init(_ bytes: UnsafeRawBufferPointer, limits: ModelLimits, path: String) throws(RallyError) {
    var bounds = rox_limits(
      max_bytes: limits.maximumFileByteCount, max_structure_bytes: limits.maximumStructureByteCount,
      max_items: limits.maximumStructureItemCount)
    var model: OpaquePointer?
    var error = rox_error()
    let status = unsafe rox_model_open(bytes.baseAddress, bytes.count, &bounds, &model, &error)
    guard status == ROX_OK, let model = unsafe model else { throw RallyError(status, error, in: path) }
    unsafe handle = model
  }

  deinit { unsafe rox_model_close(handle) }

  var intermediateVersion: Int64 { unsafe rox_ir_version(handle) }
  /// Of the standard operators; 0 when none is imported.
  var operatorSetVersion: Int64 { unsafe rox_opset_version(handle) }
  var hasGraph: Bool { unsafe rox_has_graph(handle) != 0 }

  /// - Throws: `limitExceeded`.
  func metadata(maximumByteCount: Int) throws(RallyError) -> [MetadataPair] {
    var pairs: [MetadataPair] = []
    var byteCount = 0
    for index in unsafe 0..<rox_metadata_count(handle) {
      var (key, value) = unsafe (rox_text(), rox_text())
      unsafe rox_metadata_at(handle, index, &key, &value)
      unsafe byteCount += key.size + value.size
      guard byteCount <= maximumByteCount else {
        throw RallyError(
          .limitExceeded, "metadata", expected: "at most \(maximumByteCount) bytes", found: "more")
      }
      unsafe pairs.append(MetadataPair(key: String(key), value: String(value)))
    }
    return pairs
  }

  var tensorCount: Int { unsafe rox_tensor_count(handle) }

  func tensor(_ index: Int) -> StoredTensor {
    var tensor = unsafe rox_tensor()
    unsafe rox_tensor_at(handle, index, &tensor)
    return unsafe StoredTensor(tensor, index: index)
  }

  /// Files that hold external data, relative to the model, in the order in which they are first named.
  var externalLocations: [String] {
    var locations: [String] = []
    for index in 0..<tensorCount {
      let location = tensor(index).location
      if !location.isEmpty, !locations.contains(location) { locations.append(location) }
    }
    return locations
  }

  /// Decodes the elements of a typed field.
  /// - Parameter destination: room for all elements in the type of the tensor.
  @unsafe
  func read(_ tensor: StoredTensor, into destination: UnsafeMutableRawPointer) throws(RallyError) {
    var error = rox_error()
    let status = unsafe rox_tensor_read(handle, tensor.index, destination, &error)
    guard status == ROX_OK else { throw RallyError(status, error, in: "") }
  }

  func strings(_ tensor: StoredTensor) -> [String] {
    var strings: [String] = []
    strings.reserveCapacity(tensor.elementCount)
    var cursor = 0
    var text = unsafe rox_text()
    while unsafe rox_string_next(handle, tensor.index, &cursor, &text) != 0 {
      unsafe strings.append(String(text))
    }
    return strings
  }

  enum CheckResult: Equatable {
    case passed
    case failed(String)
    case skipped(String)
  }

  /// Runs libonnx's checker and shape inference over the graph.
  func check() -> CheckResult {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
      guard let base = buffer.baseAddress else { return .skipped("no memory") }
      let result = unsafe rox_model_check(handle, base, buffer.count)
      let reason = unsafe String(cString: base)
      if result == ROX_CHECK_PASSED { return .passed }
      return result == ROX_CHECK_FAILED ? .failed(reason) : .skipped(reason)
    }
  }
}

extension String {
  @unsafe
  init(_ text: rox_text) {
    let bytes = unsafe UnsafeRawBufferPointer(start: text.data, count: text.data == nil ? 0 : text.size)
    self = unsafe String(decoding: bytes, as: UTF8.self)
  }

  /// A NUL-terminated array inside a struct, which Swift sees as a tuple.
  fileprivate init<Characters>(array: Characters) {
    self = unsafe withUnsafeBytes(of: array) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}

extension RallyError {
  init(_ status: rox_status, _ error: rox_error, in path: String) {
    let code: Code =
      switch status {
      case ROX_LIMIT: .limitExceeded
      case ROX_OUT_OF_MEMORY: .outOfMemory
      case ROX_UNSUPPORTED: .unsupported
      case ROX_NO_READER: .io
      default: .corruptFile
      }
    let subject = String(array: error.subject)
    self.init(
      code, path.isEmpty ? subject : "\(path), \(subject)", expected: String(array: error.expected),
      found: String(array: error.found))
  }
}
