import COneDNN
import Synchronization
import Tensors

/// The bf16 products of oneDNN that one pool runs, and the memory they pass through.
///
/// The first product of each combination (inputs, outputs of a panel, rows of the last tile) compiles for about
/// 0.4 ms; later ones allocate nothing here.
@safe final class NativeProducts {
  private let workerCount: Int
  private var products: [NativeProduct.Key: NativeProduct] = [:]
  private let streams: [OneDNN.Stream]
  /// oneDNN's status of the last tile that failed in the call at hand.
  private let failure = Atomic<UInt32>(dnnl_success.rawValue)
  /// Each worker's tile of results on its way to rows with a stride, [workerCount, tileRows, panelWidth].
  private let resultTiles: AlignedStorage<Float>

  init(workerCount: Int) throws(RallyError) {
    self.workerCount = workerCount
    var streams: [OneDNN.Stream] = []
    for _ in 0..<workerCount { streams.append(try OneDNN.Stream()) }
    self.streams = streams
    resultTiles = try AlignedStorage(count: workerCount * MatMul.tileRows * PackedMatrix.panelWidth)
  }

  /// Compiles what a call will run, so that workers only read.
  func prepare(_ panels: ArraySlice<PackedMatrix.Panel>, rows: Int) throws(RallyError) {
    failure.store(dnnl_success.rawValue, ordering: .relaxed)
    var width = 0
    for panel in panels {
      guard let layout = panel.blocks?.layout, layout.outputs != width else { continue }
      width = layout.outputs
      if rows >= MatMul.tileRows { try compile(layout, rows: MatMul.tileRows) }
      if rows % MatMul.tileRows > 0 { try compile(layout, rows: rows % MatMul.tileRows) }
    }
  }

  private func compile(_ layout: BlockLayout, rows: Int) throws(RallyError) {
    let key = NativeProduct.Key(layout, rows: rows)
    if products[key] == nil { products[key] = try NativeProduct(layout, key, workerCount: workerCount) }
  }

  /// One tile of dense rows (bf16 bits) times one panel, on one worker.
  func run(
    _ x: UnsafeMutablePointer<UInt16>, rows: Int, _ blocks: PackedMatrix.Panel.Blocks,
    _ y: UnsafeMutablePointer<Float>, _ yStride: Int, worker: Int
  ) {
    let outputs = blocks.layout.outputs
    guard let product = products[NativeProduct.Key(blocks.layout, rows: rows)] else {
      return failure.store(dnnl_runtime_error.rawValue, ordering: .relaxed)
    }
    let isDense = rows == 1 || yStride == outputs
    let results = isDense ? unsafe y : unsafe resultTiles.base + worker * MatMul.tileRows * PackedMatrix.panelWidth
    let status = unsafe product.run(x, blocks.memory, results, worker: worker, streams[worker])
    if status != dnnl_success { failure.store(status.rawValue, ordering: .relaxed) }
    if isDense { return }
    for row in 0..<rows {
      unsafe (y + row * yStride).update(from: results + row * outputs, count: outputs)
    }
  }

  /// - Throws: what went wrong in a tile of the call.
  func check() throws(RallyError) {
    try OneDNN.check(dnnl_status_t(failure.load(ordering: .relaxed)), "matrix product")
  }
}
