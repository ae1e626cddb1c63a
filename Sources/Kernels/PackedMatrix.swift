import CKernels
public import Tensors

/// Weights W [outputs, inputs] in one element type, rearranged once into the layout that products read.
///
/// Outputs are cut into *panels* of at most `panelWidth`; a product runs panel by panel. Several matrices
/// with the same inputs can be stacked (q|k|v, gate|up): each source starts a panel, so a product may also
/// compute the outputs of some sources only. Immutable: any number of threads may multiply by it.
///
/// f32 and bf16 weights meet f32 rows; int8 weights, with a scale for each output, meet rows that each product
/// makes int8 with a scale of their own. Panels are strips as `rk_matmul_pack_…` leaves them; for bf16 where
/// the processor multiplies bf16 itself (`BF16Method.native`), of pairs of inputs. All make batch-invariant products.
public final class PackedMatrix: @unchecked Sendable {  // Nothing changes after `init`.
  /// Outputs per panel: four strips, which tiles of few rows take at once. With 2560 inputs it is two thirds
  /// of a 2 MB second-level cache in f32, where it stays while tiles of rows pass; and it leaves a few panels
  /// per thread even when there is one row.
  public static let panelWidth = panelStrips * rk_matmul_columns
  static let panelStrips = 4

  /// f32, bf16 or int8.
  public let dataType: DataType
  public let inputs: Int
  /// Of all sources.
  public let outputs: Int
  /// The outputs of each source, in order.
  public let sources: [Range<Int>]

  let panels: [Panel]
  private let storage: AlignedStorage<UInt8>

  /// [outputs], int8 only: what an output's numbers are multiplied by.
  let scales: AlignedStorage<Float>
  /// bf16 only: whether rows are rounded to bf16 and multiplied in pairs.
  let isPaired: Bool
  /// Whether products convert rows to another type before they multiply them.
  var convertsRows: Bool { isPaired || dataType == .int8 }
  /// Whole steps.
  var convertedRowByteCount: Int { Self.wholeSteps(inputs, dataType, isPaired) * dataType.byteCount }
  var stripByteCount: Int {
    Self.wholeSteps(inputs, dataType, isPaired) * rk_matmul_columns * dataType.byteCount
  }

  /// Inputs, with those that fill up the last step of a strip: one of int8 has four, one of pairs two.
  static func wholeSteps(_ inputs: Int, _ dataType: DataType, _ isPaired: Bool) -> Int {
    let step = dataType == .int8 ? 4 : isPaired ? 2 : 1
    return (inputs + step - 1) / step * step
  }

  /// Memory taken by the packed weights.
  public var byteCount: Int { storage.count + scales.count * MemoryLayout<Float>.stride }

  /// - Parameters:
  ///   - inputs: K ≥ 1, the length of a weight row.
  ///   - sources: the stacked matrices, at least one.
  ///   - dataType: f32, bf16 or int8. Rows of another type are rounded to nearest, ties to even; to int8, by
  ///     `Conversion.f32(_:toInt8:count:)`.
  ///   - method: how products by bf16 weights are computed; both are tested on every machine that has both.
  ///   - pool: packs panels in parallel.
  /// - Throws: `outOfMemory`; `limitExceeded` when a size overflows, or sums of int8 could.
  public init(
    inputs: Int, sources rows: [WeightRows], dataType: DataType = .f32, method: BF16Method = .best,
    pool: WorkerPool? = nil
  ) throws(RallyError) {
    precondition(inputs > 0 && !rows.isEmpty)
    var plan = try PanelPlan(inputs: inputs, dataType: dataType, isPaired: dataType == .bf16 && method == .native)
    for source in rows { try plan.append(source) }
    storage = try AlignedStorage(count: plan.byteCount)
    scales = try AlignedStorage(count: dataType == .int8 ? plan.outputs : 0)
    var panels: [Panel] = []
    for piece in plan.pieces { unsafe panels.append(Panel(piece, in: storage.base)) }
    self.dataType = dataType
    self.inputs = inputs
    isPaired = plan.isPaired
    outputs = plan.outputs
    sources = plan.sources
    self.panels = panels
    try pack(rows, plan, pool)
  }

  /// Packs one matrix [outputs, inputs] f32 row-major, PyTorch's `Linear.weight`.
  public convenience init(
    inputs: Int, outputs: Int, from weight: UnsafePointer<Float>, dataType: DataType = .f32,
    method: BF16Method = .best, pool: WorkerPool? = nil
  ) throws(RallyError) {
    let rows = unsafe WeightRows(outputs: outputs) { range, destination in
      let count = range.count * inputs * MemoryLayout<Float>.stride
      unsafe destination.copyMemory(from: weight + range.lowerBound * inputs, byteCount: count)
    }
    try self.init(inputs: inputs, sources: [rows], dataType: dataType, method: method, pool: pool)
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
}
