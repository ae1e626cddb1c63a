import COneDNN
import Tensors

/// One compiled bf16 product of oneDNN and, for every worker, the handles it is executed with.
///
/// oneDNN's batch-reduce product (2.6) takes dense arrays only; any stride sends it to its scalar reference,
/// a hundred times slower and with other sums. Worker `w` uses only its own handles, so workers run one
/// product at the same time.
@safe final class NativeProduct {
  /// What a product is compiled for.
  struct Key: Hashable {
    var inputs: Int
    var outputs: Int
    var rows: Int

    init(_ layout: BlockLayout, rows: Int) {
      inputs = layout.inputs
      outputs = layout.outputs
      self.rows = rows
    }
  }

  private struct Handles {
    var x: OneDNN.Memory
    var y: OneDNN.Memory
    var scratch: OneDNN.Memory
  }

  private let primitive: OneDNN.Primitive
  private let handles: [Handles]
  private let scratch: AlignedStorage<UInt8>

  init(_ layout: BlockLayout, _ key: Key, workerCount: Int) throws(RallyError) {
    let x = try OneDNN.array(dnnl_bf16, key.rows, key.inputs, strides: (key.inputs, 1))
    let y = try OneDNN.array(dnnl_f32, key.rows, key.outputs, strides: (key.outputs, 1))
    let description = try OneDNN.serially { () throws(RallyError) in
      try OneDNN.Description(x, layout.weights, y)
    }
    // Checked again for these rows: another implementation would add up in another order.
    try description.mustAddUpInOneOrder()
    primitive = try OneDNN.serially { () throws(RallyError) in try OneDNN.Primitive(description) }
    var scratchDescription = try description.array(dnnl_query_scratchpad_md)
    // Each worker's part is a whole number of cache lines.
    let byteCount = (unsafe dnnl_memory_desc_get_size(&scratchDescription) + 63) / 64 * 64
    scratch = try AlignedStorage(count: byteCount * workerCount)
    var handles: [Handles] = []
    for worker in 0..<workerCount {
      unsafe handles.append(
        try Handles(
          x: OneDNN.Memory(x), y: OneDNN.Memory(y),
          scratch: OneDNN.Memory(scratchDescription, scratch.base + worker * byteCount)))
    }
    self.handles = handles
  }

  /// y = x · panel for the key's rows, x (bf16 bits) and y without gaps between rows; oneDNN's status.
  func run(
    _ x: UnsafeMutablePointer<UInt16>, _ weights: OneDNN.Memory, _ y: UnsafeMutablePointer<Float>, worker: Int,
    _ stream: OneDNN.Stream
  ) -> dnnl_status_t {
    let own = handles[worker]
    unsafe dnnl_memory_set_data_handle(own.x.handle, x)
    unsafe dnnl_memory_set_data_handle(own.y.handle, y)
    return unsafe withUnsafeTemporaryAllocation(of: dnnl_exec_arg_t.self, capacity: 4) { arguments in
      unsafe arguments.initializeElement(at: 0, to: dnnl_exec_arg_t(arg: DNNL_ARG_SRC, memory: own.x.handle))
      unsafe arguments.initializeElement(at: 1, to: dnnl_exec_arg_t(arg: DNNL_ARG_WEIGHTS, memory: weights.handle))
      unsafe arguments.initializeElement(at: 2, to: dnnl_exec_arg_t(arg: DNNL_ARG_DST, memory: own.y.handle))
      unsafe arguments.initializeElement(
        at: 3, to: dnnl_exec_arg_t(arg: DNNL_ARG_SCRATCHPAD, memory: own.scratch.handle))
      return unsafe dnnl_primitive_execute(primitive.handle, stream.handle, 4, arguments.baseAddress)
    }
  }
}
