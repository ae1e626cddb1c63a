import COneDNN
import Tensors

/// oneDNN's layout of bf16 weights for panels of one width; shared by all panels of that width.
@safe final class BlockLayout {
  let inputs: Int
  let outputs: Int
  /// The packed weights, [inputs, outputs].
  let weights: dnnl_memory_desc_t
  /// A whole number of cache lines.
  let byteCount: Int

  /// oneDNN chooses a layout for a whole tile of rows. Its `brg` (batch-reduce) products accept that layout
  /// for every number of rows and add up a row in one order; its others do not.
  /// - Throws: `unsupported` where oneDNN has no such product for bf16.
  init(inputs: Int, outputs: Int) throws(RallyError) {
    self.inputs = inputs
    self.outputs = outputs
    let description = try OneDNN.serially { () throws(RallyError) in
      try OneDNN.Description(
        OneDNN.array(dnnl_bf16, MatMul.tileRows, inputs, strides: (inputs, 1)),
        OneDNN.array(dnnl_bf16, inputs, outputs, strides: nil),
        OneDNN.array(dnnl_f32, MatMul.tileRows, outputs, strides: (outputs, 1)))
    }
    try description.mustAddUpInOneOrder()
    var weights = try description.array(dnnl_query_weights_md)
    byteCount = (unsafe dnnl_memory_desc_get_size(&weights) + 63) / 64 * 64
    self.weights = weights
  }

  /// Packs rows [outputs, inputs] of bf16 bits into `memory`, which has this layout.
  func fill(_ memory: OneDNN.Memory, from rows: UnsafeMutableRawPointer) throws(RallyError) {
    // Stored [outputs, inputs], seen as its transpose [inputs, outputs].
    let plain = try OneDNN.array(dnnl_bf16, inputs, outputs, strides: (1, inputs))
    let source = unsafe try OneDNN.Memory(plain, rows)
    let reorder = try OneDNN.Primitive(OneDNN.Description(reordering: plain, to: weights))
    let stream = try OneDNN.Stream()
    let arguments = unsafe [
      dnnl_exec_arg_t(arg: DNNL_ARG_FROM, memory: source.handle),
      dnnl_exec_arg_t(arg: DNNL_ARG_TO, memory: memory.handle),
    ]
    try OneDNN.check(unsafe dnnl_primitive_execute(reorder.handle, stream.handle, 2, arguments), "weight packing")
    try OneDNN.check(unsafe dnnl_stream_wait(stream.handle), "weight packing")
  }
}

extension OneDNN.Description {
  /// - Throws: `unsupported` for any implementation but the batch-reduce one.
  func mustAddUpInOneOrder() throws(RallyError) {
    let name = implementation
    guard name.hasPrefix("brg") else {
      throw RallyError(
        .unsupported, "bf16 matrix product", expected: "a batch-reduce implementation of oneDNN", found: name)
    }
  }
}
