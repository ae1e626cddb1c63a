import CKernels
import COneDNN
import Tensors

extension PackedMatrix {
  /// How a panel of one width is stored; shared by all panels of that width.
  @safe final class Layout {
    let inputs: Int
    let outputs: Int
    /// oneDNN's description of the packed weights [inputs, outputs]; nil: the layout of `rk_matmul_pack`.
    let blocked: dnnl_memory_desc_t?
    var isBlocked: Bool { blocked != nil }
    /// Floats of storage, a whole number of cache lines.
    let floatCount: Int

    /// oneDNN chooses a layout for 64 rows. Its `brg` (batch-reduce) products accept that layout for every
    /// number of rows and add up a row in one order; its others (`gemm`) do not, so ours takes over.
    init(inputs: Int, outputs: Int) throws(RallyError) {
      self.inputs = inputs
      self.outputs = outputs
      let blocked = try OneDNN.serially { () throws(RallyError) -> dnnl_memory_desc_t? in
        guard let description = try? Self.describe(rows: Product.tileRows, inputs, outputs),
          description.implementation.hasPrefix("brg")
        else { return nil }
        return try description.array(dnnl_query_weights_md)
      }
      if var description = blocked {
        floatCount = (unsafe dnnl_memory_desc_get_size(&description) + 63) / 64 * 16
      } else {
        let columns = rk_matmul_columns
        floatCount = (outputs + columns - 1) / columns * columns * inputs
      }
      self.blocked = blocked
    }

    private static func describe(rows: Int, _ inputs: Int, _ outputs: Int) throws(RallyError)
      -> OneDNN.Description
    {
      try OneDNN.Description(
        OneDNN.array(rows, inputs, strides: (inputs, 1)), OneDNN.array(inputs, outputs, strides: nil),
        OneDNN.array(rows, outputs, strides: (outputs, 1)))
    }
  }

  /// Some neighbouring outputs and their packed weights.
  @safe struct Panel {
    let outputs: Range<Int>
    let layout: Layout
    /// Into the matrix' storage, `layout.floatCount` floats, aligned to 64 bytes.
    let data: UnsafeMutablePointer<Float>
    /// oneDNN's handle of `data`, for blocked layouts.
    let memory: OneDNN.Memory?

    init(outputs: Range<Int>, data: UnsafeMutablePointer<Float>, layout: Layout) throws(RallyError) {
      self.outputs = outputs
      self.layout = layout
      unsafe self.data = data
      if let blocked = layout.blocked {
        memory = unsafe try OneDNN.Memory(blocked, data)
      } else {
        memory = nil
      }
    }

    /// Packs rows [outputs.count, inputs] f32.
    func fill(from rows: UnsafeMutablePointer<Float>) throws(RallyError) {
      guard let blocked = layout.blocked, let memory else {
        unsafe rk_matmul_pack(rows, outputs.count, layout.inputs, data)
        return
      }
      // Stored [outputs, inputs], seen as its transpose [inputs, outputs].
      let plain = try OneDNN.array(layout.inputs, outputs.count, strides: (1, layout.inputs))
      let source = unsafe try OneDNN.Memory(plain, rows)
      let reorder = try OneDNN.Primitive(OneDNN.Description(reordering: plain, to: blocked))
      let stream = try OneDNN.Stream()
      let arguments = unsafe [
        dnnl_exec_arg_t(arg: DNNL_ARG_FROM, memory: source.handle),
        dnnl_exec_arg_t(arg: DNNL_ARG_TO, memory: memory.handle),
      ]
      try OneDNN.check(unsafe dnnl_primitive_execute(reorder.handle, stream.handle, 2, arguments), "weight packing")
      try OneDNN.check(unsafe dnnl_stream_wait(stream.handle), "weight packing")
    }
  }
}
