import CKernels
import COneDNN

extension MatMul {
  /// Tile `index % tileCount` times panel `index / tileCount` of a call.
  func run(_ call: Call, _ index: Int, _ worker: Int) {
    let panel = call.matrix.panels[call.firstPanel + index / call.tileCount]
    let firstRow = index % call.tileCount * Product.tileRows
    let status = unsafe run(
      panel, call.x + firstRow * call.xStride, call.xStride, rows: min(Product.tileRows, call.rows - firstRow),
      call.y + firstRow * call.yStride + (panel.outputs.lowerBound - call.firstOutput), call.yStride, worker)
    if status != dnnl_success { failure.store(status.rawValue, ordering: .relaxed) }
  }

  /// One tile of at most `tileRows` rows times one panel, on one worker; oneDNN's status.
  ///
  /// oneDNN wants rows without gaps. Copying a tile moves `inputs + outputs` floats per row beside
  /// `inputs · outputs` multiplications: less than one in a hundred.
  private func run(
    _ panel: PackedMatrix.Panel, _ x: UnsafePointer<Float>, _ xStride: Int, rows: Int,
    _ y: UnsafeMutablePointer<Float>, _ yStride: Int, _ worker: Int
  ) -> dnnl_status_t {
    let (inputs, outputs) = (panel.layout.inputs, panel.outputs.count)
    guard let memory = panel.memory else {
      unsafe rk_matmul(x, xStride, panel.data, y, yStride, rows, outputs, inputs)
      return dnnl_success
    }
    guard let product = products[Product.Key(panel.layout, rows: rows)] else { return dnnl_runtime_error }
    let denseRows = unsafe rows == 1 || xStride == inputs ? x : closeGaps(x, xStride, rows, inputs, worker)
    if rows == 1 || yStride == outputs {
      return unsafe product.run(denseRows, memory, y, worker: worker, streams[worker])
    }
    let results = unsafe resultTiles.base + worker * Product.tileRows * PackedMatrix.panelWidth
    let status = unsafe product.run(denseRows, memory, results, worker: worker, streams[worker])
    for row in 0..<rows {
      unsafe (y + row * yStride).update(from: results + row * outputs, count: outputs)
    }
    return status
  }

  /// The tile's rows, copied to the worker's own memory.
  private func closeGaps(
    _ x: UnsafePointer<Float>, _ stride: Int, _ rows: Int, _ inputs: Int, _ worker: Int
  ) -> UnsafePointer<Float> {
    let tile = unsafe rowTiles.base + worker * Product.tileRows * inputs
    for row in 0..<rows {
      unsafe (tile + row * inputs).update(from: x + row * stride, count: inputs)
    }
    return unsafe UnsafePointer(tile)
  }
}
