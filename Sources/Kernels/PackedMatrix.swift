import CKernels
public import Files
public import Tensors

/// Weights W [outputs, inputs] in one element type, rearranged once into the layout that products read.
///
/// Outputs are cut into *panels* of at most `panelWidth`; a product runs panel by panel. Several matrices
/// with the same inputs can be stacked (q|k|v, gate|up): each source starts a panel, so a product may also
/// compute the outputs of some sources only. Immutable: any number of threads may multiply by it.
///
/// f32 and bf16 weights meet f32 rows; int8 and q4 weights meet rows that each product makes int8. Both have a scale for every
/// `groupWidth` inputs, or, with int8, for a whole row. Panels are strips as `rk_matmul_pack_…` leaves them; for bf16 where
/// the processor multiplies bf16 itself (`BF16Method.native`), of pairs of inputs. All make batch-invariant products.
public final class PackedMatrix: @unchecked Sendable {  // Nothing changes after `init`.
  /// Outputs per panel: four strips, which tiles of few rows take at once. With 2560 inputs it is two thirds
  /// of a 2 MB second-level cache in f32, where it stays while tiles of rows pass; and it leaves a few panels
  /// per thread even when there is one row.
  public static let panelWidth = panelStrips * rk_matmul_columns
  static let panelStrips = 4

  /// f32, bf16, int8 or q4.
  public let dataType: DataType
  public let inputs: Int
  /// Of all sources.
  public let outputs: Int
  /// The outputs of each source, in order.
  public let sources: [Range<Int>]

  let panels: [Panel]
  private let storage: AlignedStorage<UInt8>

  /// Inputs that share a scale in a q4 matrix, and in an int8 matrix whose rows are longer: a whole row's outliers are too much for the rest.
  public static let groupWidth = rk_matmul_group
  /// Scales of a row; 0 without int8 and q4.
  public let groupCount: Int
  /// [strips, groupCount, 32], int8 only, for q4 has its own among the packed weights: what an output's numbers are multiplied by.
  let scales: AlignedStorage<Float>
  /// bf16 only: whether rows are rounded to bf16 and multiplied in pairs.
  let isPaired: Bool
  /// [inputs], int8 and q4 only: what rows are multiplied by before they are made int8; empty for nothing.
  let factors: AlignedStorage<Float>
  /// Inputs that share a scale, as kernels want it: 0 for all of them.
  var group: Int { groupCount > 1 || dataType == .q4 ? Self.groupWidth : 0 }
  /// Whether products convert rows to another type before they multiply them.
  package var convertsRows: Bool { isPaired || dataType.hasScales }
  /// Whole steps.
  var convertedRowByteCount: Int {
    (dataType.hasScales ? .int8 : dataType).byteCount(of: Self.wholeSteps(inputs, dataType, isPaired))
  }
  var stripByteCount: Int { Self.inputByteCount(dataType) * Self.wholeSteps(inputs, dataType, isPaired) }

  /// Inputs, with those that fill up the last step of a strip: one of int8 has four, one of pairs two.
  static func wholeSteps(_ inputs: Int, _ dataType: DataType, _ isPaired: Bool) -> Int {
    let step = dataType.hasScales ? 4 : isPaired ? 2 : 1
    return (inputs + step - 1) / step * step
  }

  /// What a strip holds for each input; with q4 the input's share of the scales, too.
  static func inputByteCount(_ dataType: DataType) -> Int {
    let scales = dataType == .q4 ? rk_matmul_columns * dataType.scaleByteCount / groupWidth : 0
    return dataType.byteCount(of: rk_matmul_columns) + scales
  }

  /// Memory taken by the packed weights.
  public var byteCount: Int { storage.count + (scales.count + factors.count) * MemoryLayout<Float>.stride }

  /// What a matrix of so many inputs is packed and stored in where `dataType` is asked for: q4 has whole groups only.
  public static func dataType(_ dataType: DataType, inputs: Int) -> DataType {
    dataType == .q4 && inputs % groupWidth != 0 ? .int8 : dataType
  }

  /// Groups of a row of int8 numbers: what is not a whole number of groups, or one, has one scale.
  public static func groupCount(inputs: Int) -> Int { inputs % groupWidth == 0 ? max(1, inputs / groupWidth) : 1 }

  /// - Parameters:
  ///   - inputs: K ≥ 1, the length of a weight row.
  ///   - sources: the stacked matrices, at least one.
  ///   - dataType: f32, bf16, int8 or, for whole groups of inputs, q4. Rows of another type are rounded to nearest, ties to
  ///     even; to int8 and q4, group by group by `Conversion.f32(_:toInt8:count:)` and `Conversion.f32(_:toQ4:count:)`. int8 rows that all have one scale make a matrix of one group.
  ///   - factors: [inputs], int8 and q4 only: what rows of x are multiplied by first. Empty for nothing.
  ///   - method: how products by bf16 weights are computed; both are tested on every machine that has both.
  ///   - pool: packs panels in parallel.
  /// - Throws: `outOfMemory`; `limitExceeded` when a size overflows, or sums of int8 could.
  public init(
    inputs: Int, sources rows: [WeightRows], dataType: DataType = .f32, factors: [Float] = [],
    method: BF16Method = .best, pool: WorkerPool? = nil
  ) throws(RallyError) {
    precondition(inputs > 0 && !rows.isEmpty && (factors.isEmpty || factors.count == inputs && dataType.hasScales))
    precondition(rows.allSatisfy { $0.dataType == .f32 || $0.dataType == dataType })
    var plan = try PanelPlan(inputs: inputs, dataType: dataType, isPaired: dataType == .bf16 && method == .native)
    for source in rows { try plan.append(height: source.outputs) }
    storage = try AlignedStorage(count: plan.byteCount)
    let hasGroups = dataType == .q4 || !rows.allSatisfy { $0.scales.count == $0.outputs }
    groupCount = dataType.hasScales ? (hasGroups ? Self.groupCount(inputs: inputs) : 1) : 0
    scales = try AlignedStorage(zeroed: dataType == .int8 ? plan.stripCount * rk_matmul_columns * groupCount : 0)
    self.factors = try AlignedStorage(count: factors.count)
    for index in factors.indices { unsafe self.factors.base[index] = factors[index] }
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

  /// A matrix that was packed before, as a part of `file`.
  ///
  /// - Parameters:
  ///   - form: what the matrix must be.
  ///   - parts: its bytes, as `parts` of the packed one gave them out; each on a cache line.
  /// - Throws: `truncatedData` for parts of other lengths than the form asks for; as the other `init`.
  package init(_ form: Form, parts: [UnsafeRawBufferPointer], of file: MappedFile) throws(RallyError) {
    let plan = try form.plan()
    let wanted = form.partByteCounts(plan)
    guard unsafe parts.map(\.count) == wanted else {
      throw RallyError(
        .truncatedData, "packed matrix", expected: "parts of \(wanted) bytes", found: "\(unsafe parts.map(\.count))")
    }
    storage = unsafe AlignedStorage(parts[0], of: file)
    scales = unsafe AlignedStorage(parts[1], of: file)
    factors = unsafe AlignedStorage(parts[2], of: file)
    var panels: [Panel] = []
    for piece in plan.pieces { unsafe panels.append(Panel(piece, in: storage.base)) }
    (dataType, inputs, groupCount) = (form.dataType, form.inputs, form.groupCount)
    (isPaired, outputs, sources) = (plan.isPaired, plan.outputs, plan.sources)
    self.panels = panels
  }

  /// The bytes that stand for it: weights, scales, factors. Only memory of this processor's layout and `Form` make sense of them.
  @unsafe package var parts: [UnsafeRawBufferPointer] { unsafe [storage.bytes, scales.bytes, factors.bytes] }

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
