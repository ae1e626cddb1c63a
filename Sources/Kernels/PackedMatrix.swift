import CKernels
import COneDNN
import Synchronization
public import Tensors

/// Weights W [outputs, inputs], rearranged once into the layout that products read.
///
/// Outputs are cut into *panels* of at most `panelWidth`; a product runs panel by panel. Several matrices
/// with the same inputs can be stacked (q|k|v, gate|up): each source starts a panel, so a product may also
/// compute the outputs of some sources only. Immutable: any number of threads may multiply by it.
///
/// Two layouts exist. oneDNN's blocked one, where oneDNN has a product whose rows do not depend on their
/// number (AVX-512); ours (`rk_matmul_pack`) elsewhere. Both make batch-invariant products.
public final class PackedMatrix: @unchecked Sendable {  // Nothing changes after `init`.
  /// Outputs per panel: with 960 inputs it takes half of a 2 MB second-level cache, where it stays while
  /// tiles of rows pass; and it leaves a few panels per thread even when there is one row.
  public static let panelWidth = 256

  public let inputs: Int
  /// Of all sources.
  public let outputs: Int
  /// The outputs of each source, in order.
  public let sources: [Range<Int>]

  let panels: [Panel]
  private let storage: AlignedStorage<Float>

  /// Memory taken by the packed weights.
  public var byteCount: Int { storage.count * MemoryLayout<Float>.stride }

  /// Packs weights that are produced a few rows at a time, so that no second copy of a matrix is needed.
  ///
  /// - Parameters:
  ///   - inputs: K ≥ 1, the length of a weight row.
  ///   - sources: outputs of each stacked matrix, each ≥ 1.
  ///   - pool: packs panels in parallel; `rows` is then called on its workers, several at once.
  ///   - rows: writes rows `range` of matrix `source`, [range.count, inputs] f32 row-major, to `destination`.
  /// - Throws: what `rows` throws; `outOfMemory`; `limitExceeded` when a size overflows.
  public init(
    inputs: Int, sources counts: [Int], pool: WorkerPool? = nil,
    rows: (_ source: Int, _ range: Range<Int>, _ destination: UnsafeMutablePointer<Float>) throws(RallyError) -> Void
  ) throws(RallyError) {
    precondition(inputs > 0 && !counts.isEmpty && counts.allSatisfy { $0 > 0 })
    var layouts: [Int: Layout] = [:]
    var pieces: [(source: Int, first: Int, outputs: Range<Int>, offset: Int, layout: Layout)] = []
    var sources: [Range<Int>] = []
    var start = 0
    var offset = 0
    for (source, count) in counts.enumerated() {
      let (end, overflow) = start.addingReportingOverflow(count)
      guard !overflow else { throw Self.overflow(inputs, count) }
      for first in stride(from: 0, to: count, by: Self.panelWidth) {
        let width = min(Self.panelWidth, count - first)
        let layout: Layout
        if let known = layouts[width] { layout = known } else { layout = try Layout(inputs: inputs, outputs: width) }
        layouts[width] = layout
        pieces.append((source, first, start + first..<start + first + width, offset, layout))
        let (next, overflow) = offset.addingReportingOverflow(layout.floatCount)
        guard !overflow else { throw Self.overflow(inputs, count) }
        offset = next
      }
      sources.append(start..<end)
      start = end
    }
    let storage = try AlignedStorage<Float>(count: offset)
    var panels: [Panel] = []
    for piece in pieces {
      unsafe panels.append(
        try Panel(outputs: piece.outputs, data: storage.base + piece.offset, layout: piece.layout))
    }
    unsafe try Self.pack(inputs: inputs, panels, pool: pool) { (index, buffer) throws(RallyError) in
      let piece = pieces[index]
      unsafe try rows(piece.source, piece.first..<piece.first + piece.outputs.count, buffer)
    }
    self.inputs = inputs
    self.outputs = start
    self.sources = sources
    self.panels = panels
    self.storage = storage
  }

  /// Packs one matrix [outputs, inputs] f32 row-major, PyTorch's `Linear.weight`.
  public convenience init(
    inputs: Int, outputs: Int, from weight: UnsafePointer<Float>, pool: WorkerPool? = nil
  ) throws(RallyError) {
    unsafe try self.init(inputs: inputs, sources: [outputs], pool: pool) {
      (_, range, destination) throws(RallyError) in
      unsafe destination.update(from: weight + range.lowerBound * inputs, count: range.count * inputs)
    }
  }

  /// The panels of a range of outputs that starts and ends with a panel, such as a run of sources.
  func panels(for outputs: Range<Int>) -> Range<Int> {
    var first = 0
    while panels[first].outputs.lowerBound < outputs.lowerBound { first += 1 }
    var end = first
    while end < panels.count, panels[end].outputs.lowerBound < outputs.upperBound { end += 1 }
    precondition(
      panels[first].outputs.lowerBound == outputs.lowerBound
        && panels[end - 1].outputs.upperBound == outputs.upperBound, "outputs must end with a panel")
    return first..<end
  }

  /// Fills every panel from f32 rows, with one buffer per worker.
  private static func pack(
    inputs: Int, _ panels: [Panel], pool: WorkerPool?,
    rows: (_ index: Int, _ buffer: UnsafeMutablePointer<Float>) throws(RallyError) -> Void
  ) throws(RallyError) {
    let widest = panels.reduce(0) { max($0, $1.outputs.count) } * inputs
    let buffers = try AlignedStorage<Float>(count: widest * (pool?.threadCount ?? 1))
    let failure = Mutex<RallyError?>(nil)
    func packOne(_ index: Int, _ worker: Int) {
      let buffer = unsafe buffers.base + worker * widest
      do throws(RallyError) {
        unsafe try rows(index, buffer)
        unsafe try panels[index].fill(from: buffer)
      } catch {
        failure.withLock { $0 = $0 ?? error }
      }
    }
    if let pool {
      pool.parallelFor(panels.count, packOne)
    } else {
      try OneDNN.serially { for index in panels.indices { packOne(index, 0) } }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  private static func overflow(_ inputs: Int, _ outputs: Int) -> RallyError {
    RallyError(.limitExceeded, "weight matrix", expected: "a size that fits memory", found: "\(outputs) × \(inputs)")
  }
}
