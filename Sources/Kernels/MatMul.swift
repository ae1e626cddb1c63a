import CKernels
import COneDNN
import Synchronization
public import Tensors

/// Matrix products y = x · Wᵀ on the workers of one pool.
///
/// **Batch invariance**: a row of y is the same bits for every number of rows, place among them, thread
/// count and range of outputs. A product is cut into tiles of at most 64 rows times a panel of weights; each
/// is one serial oneDNN call (or one of `rk_matmul`), whose sums run over the inputs in a fixed order.
///
/// Owns the compiled products and the handles that workers use. The first product of each combination
/// (inputs, outputs of a panel, rows of the last tile) compiles for about 0.4 ms; later ones allocate
/// nothing here. One thread at a time; its pool's driver.
public final class MatMul {
  private let pool: WorkerPool
  var products: [Product.Key: Product] = [:]
  let streams: [OneDNN.Stream]
  /// oneDNN's status of the last tile that failed in the call at hand.
  let failure = Atomic<UInt32>(dnnl_success.rawValue)
  /// Each worker's tile of results on its way to rows with a stride, [threadCount, tileRows, panelWidth].
  let resultTiles: AlignedStorage<Float>
  /// Each worker's tile of rows that come with a stride, [threadCount, tileRows, inputs]; grows in `prepare`.
  var rowTiles: AlignedStorage<Float>

  /// - Throws: `outOfMemory`, or `unsupported` where oneDNN does not run at all.
  public init(pool: WorkerPool) throws(RallyError) {
    self.pool = pool
    var streams: [OneDNN.Stream] = []
    for _ in 0..<pool.threadCount { streams.append(try OneDNN.Stream()) }
    self.streams = streams
    resultTiles = try AlignedStorage(count: pool.threadCount * Product.tileRows * PackedMatrix.panelWidth)
    rowTiles = try AlignedStorage(count: 0)
  }

  /// y = x · W[outputs]ᵀ.
  ///
  /// - Parameters:
  ///   - x: [rows, inputs] f32, `xStride` floats from row to row (≥ inputs). Any alignment.
  ///   - rows: ≥ 0; 0 does nothing.
  ///   - matrix: the weights.
  ///   - outputs: which of its outputs, bounded by sources (`matrix.sources`); nil: all.
  ///   - y: [rows, outputs.count] f32, `yStride` floats from row to row. Column 0 is `outputs.lowerBound`.
  ///     May not overlap x.
  /// - Throws: `unsupported` or `outOfMemory` from oneDNN; y is then unspecified.
  /// - Complexity: 2 · rows · inputs · outputs operations.
  public func multiply(
    _ x: UnsafePointer<Float>, stride xStride: Int, rows: Int, by matrix: PackedMatrix,
    outputs: Range<Int>? = nil, into y: UnsafeMutablePointer<Float>, stride yStride: Int
  ) throws(RallyError) {
    let outputs = outputs ?? 0..<matrix.outputs
    guard rows > 0, !outputs.isEmpty else { return }
    precondition(xStride >= matrix.inputs && yStride >= outputs.count)
    let panels = matrix.panels(for: outputs)
    let tileCount = (rows + Product.tileRows - 1) / Product.tileRows
    try prepare(matrix, panels, rows: rows, xStride)
    failure.store(dnnl_success.rawValue, ordering: .relaxed)
    // Tiles of one panel follow each other: the panel stays in the cache of the worker that takes them.
    let call = unsafe Call(
      matmul: self, matrix: matrix, firstPanel: panels.lowerBound, firstOutput: outputs.lowerBound,
      tileCount: tileCount, rows: rows, x: x, xStride: xStride, y: y, yStride: yStride)
    pool.parallelFor(panels.count * tileCount, with: call) { call, index, worker in
      call.matmul.run(call, index, worker)
    }
    try OneDNN.check(dnnl_status_t(failure.load(ordering: .relaxed)), "matrix product")
  }

  /// What the workers of one product share.
  @safe struct Call {
    var matmul: MatMul
    var matrix: PackedMatrix
    var firstPanel: Int
    var firstOutput: Int
    var tileCount: Int
    var rows: Int
    var x: UnsafePointer<Float>
    var xStride: Int
    var y: UnsafeMutablePointer<Float>
    var yStride: Int
  }

  /// Compiles what a call will run, and makes room, so that workers only read.
  private func prepare(
    _ matrix: PackedMatrix, _ panels: Range<Int>, rows: Int, _ xStride: Int
  ) throws(RallyError) {
    let rest = rows % Product.tileRows
    var width = 0
    for index in panels {
      let layout = matrix.panels[index].layout
      guard layout.isBlocked, layout.outputs != width else { continue }
      width = layout.outputs
      if rows >= Product.tileRows { try compile(layout, rows: Product.tileRows) }
      if rest > 0 { try compile(layout, rows: rest) }
    }
    let floats = pool.threadCount * Product.tileRows * matrix.inputs
    if xStride != matrix.inputs, rowTiles.count < floats { rowTiles = try AlignedStorage(count: floats) }
  }

  private func compile(_ layout: PackedMatrix.Layout, rows: Int) throws(RallyError) {
    let key = Product.Key(layout, rows: rows)
    if products[key] == nil { products[key] = try Product(layout, key, workerCount: pool.threadCount) }
  }
}
