import COneDNN
import Tensors

/// The few calls of oneDNN that the engine makes, with its status as an error.
enum OneDNN {
  /// Throws `outOfMemory` or `unsupported` for any status but success.
  static func check(_ status: dnnl_status_t, _ operation: String) throws(RallyError) {
    if status == dnnl_success { return }
    if status == dnnl_out_of_memory {
      throw RallyError(
        .outOfMemory, operation, expected: "memory for a matrix product", found: "none",
        remedy: "use a smaller batch or a smaller model")
    }
    throw RallyError(
      .unsupported, operation, expected: "a oneDNN implementation", found: "status \(status.rawValue)")
  }

  /// The processor as oneDNN's engine: stateless, used by all threads, never destroyed.
  static func engine() throws(RallyError) -> dnnl_engine_t? {
    try check(Engine.shared.status, "oneDNN engine")
    return unsafe Engine.shared.handle
  }

  /// oneDNN fixes a primitive's thread count, and may choose a layout by it, when it creates one.
  static func serially<R>(_ body: () throws(RallyError) -> R) throws(RallyError) -> R {
    let threads = omp_get_max_threads()
    omp_set_num_threads(1)
    defer { omp_set_num_threads(threads) }
    return try body()
  }

  /// A two-dimensional array; nil strides leave the layout to oneDNN.
  static func array(
    _ type: dnnl_data_type_t, _ rows: Int, _ columns: Int, strides: (Int, Int)?
  ) throws(RallyError) -> dnnl_memory_desc_t {
    var description = dnnl_memory_desc_t()
    let extents = [dnnl_dim_t(rows), dnnl_dim_t(columns)]
    if let strides {
      let steps = [dnnl_dim_t(strides.0), dnnl_dim_t(strides.1)]
      try check(
        unsafe dnnl_memory_desc_init_by_strides(&description, 2, extents, type, steps), "oneDNN layout")
    } else {
      try check(
        unsafe dnnl_memory_desc_init_by_tag(&description, 2, extents, type, dnnl_format_tag_any),
        "oneDNN layout")
    }
    return description
  }

  // The engine is written once, before anyone can read it, and oneDNN allows any thread to use it.
  @safe private struct Engine: @unchecked Sendable {
    var handle: dnnl_engine_t?
    var status: dnnl_status_t

    static let shared: Engine = {
      _ = InstructionSet.limit
      var handle: dnnl_engine_t?
      let status = unsafe dnnl_engine_create(&handle, dnnl_cpu, 0)
      return unsafe Engine(handle: handle, status: status)
    }()
  }
}

extension OneDNN {
  /// Owner of one memory object: a description and a pointer to memory that it does not own.
  @safe final class Memory {
    let handle: dnnl_memory_t?

    init(_ description: dnnl_memory_desc_t, _ data: UnsafeMutableRawPointer? = nil) throws(RallyError) {
      var handle: dnnl_memory_t?
      var description = description
      let engine = unsafe try OneDNN.engine()
      try OneDNN.check(unsafe dnnl_memory_create(&handle, &description, engine, data), "oneDNN memory")
      unsafe self.handle = handle
    }

    deinit { unsafe dnnl_memory_destroy(handle) }
  }

  /// Owner of the stream of one worker.
  @safe final class Stream {
    let handle: dnnl_stream_t?

    init() throws(RallyError) {
      var handle: dnnl_stream_t?
      let engine = unsafe try OneDNN.engine()
      try OneDNN.check(
        unsafe dnnl_stream_create(&handle, engine, UInt32(dnnl_stream_default_flags.rawValue)), "oneDNN stream")
      unsafe self.handle = handle
    }

    deinit { unsafe dnnl_stream_destroy(handle) }
  }

  /// Owner of a primitive's description.
  @safe final class Description {
    let handle: dnnl_primitive_desc_t?

    /// x [rows, inputs] · weights [inputs, outputs] → y [rows, outputs], scratch from the caller.
    init(_ x: dnnl_memory_desc_t, _ weights: dnnl_memory_desc_t, _ y: dnnl_memory_desc_t) throws(RallyError) {
      var (x, weights, y) = (x, weights, y)
      var operation = dnnl_matmul_desc_t()
      let engine = unsafe try OneDNN.engine()
      var attributes: dnnl_primitive_attr_t?
      var handle: dnnl_primitive_desc_t?
      try OneDNN.check(unsafe dnnl_matmul_desc_init(&operation, &x, &weights, nil, &y), "matrix product")
      try OneDNN.check(unsafe dnnl_primitive_attr_create(&attributes), "matrix product")
      defer { unsafe dnnl_primitive_attr_destroy(attributes) }
      try OneDNN.check(
        unsafe dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user), "matrix product")
      try OneDNN.check(
        unsafe dnnl_primitive_desc_create(&handle, &operation, attributes, engine, nil), "matrix product")
      unsafe self.handle = handle
    }

    /// Copies an array from one layout to another.
    init(reordering source: dnnl_memory_desc_t, to target: dnnl_memory_desc_t) throws(RallyError) {
      var (source, target) = (source, target)
      var handle: dnnl_primitive_desc_t?
      let engine = unsafe try OneDNN.engine()
      try OneDNN.check(
        unsafe dnnl_reorder_primitive_desc_create(&handle, &source, engine, &target, engine, nil), "weight packing")
      unsafe self.handle = handle
    }

    deinit { unsafe dnnl_primitive_desc_destroy(handle) }

    func array(_ query: dnnl_query_t) throws(RallyError) -> dnnl_memory_desc_t {
      guard let description = unsafe dnnl_primitive_desc_query_md(handle, query, 0) else {
        throw RallyError(.unsupported, "oneDNN layout", expected: "a description", found: "none")
      }
      return unsafe description.pointee
    }

    /// The implementation's name, such as `brg:avx512_core`.
    var implementation: String {
      var name: UnsafePointer<CChar>?
      guard unsafe dnnl_primitive_desc_query(handle, dnnl_query_impl_info_str, 0, &name) == dnnl_success,
        let name = unsafe name
      else { return "" }
      return unsafe String(cString: name)
    }
  }

  /// Owner of a primitive: immutable code that any thread may execute.
  @safe final class Primitive {
    let handle: dnnl_primitive_t?

    init(_ description: Description) throws(RallyError) {
      var handle: dnnl_primitive_t?
      try OneDNN.check(unsafe dnnl_primitive_create(&handle, description.handle), "matrix product")
      unsafe self.handle = handle
    }

    deinit { unsafe dnnl_primitive_destroy(handle) }
  }
}
