public import Files
import Tensors

/// What `Runner.run` computed, as arrays. N is the number of tokens of all rows, P that of the positions or N.
public struct RunValues: Sendable, Equatable {
  /// What is wanted of a run.
  public struct Parts: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }

    public static let logits = Parts(rawValue: 1)
    public static let hidden = Parts(rawValue: 2)
    public static let logProbabilities = Parts(rawValue: 4)
    public static let depths = Parts(rawValue: 8)
  }

  /// [P, V]; empty where not asked for, as all of these.
  public internal(set) var logits: [Float] = []
  /// [P, D], after the final norm.
  public internal(set) var hidden: [Float] = []
  /// With targets [N]; without [N − rows], T − 1 of each row.
  public internal(set) var logProbabilities: [Float] = []
  /// Recursions that each token ran, [N].
  public internal(set) var depths: [Int32] = []
}

extension Runner {
  /// Runs a language model over rows and returns what it computed.
  ///
  /// - Parameters:
  ///   - rows: token ids.
  ///   - parts: what is wanted; logits of long texts are large.
  ///   - positions: tokens whose logits and hidden states are wanted, by their place among all; nil for all.
  ///   - targets: ids whose log-probability after each token is wanted, −1 for none, [N]; nil for the next token of the row.
  ///   - options: how tokens go on, and until when.
  /// - Throws: as `run(_:options:outputs:)`; `limitExceeded` for more numbers than an array of one call may hold, 2³¹.
  public func run(
    _ rows: RowBatch, _ parts: RunValues.Parts = [.logProbabilities, .depths], positions: [Int]? = nil,
    targets: [Int32]? = nil, options: RunOptions = RunOptions()
  ) throws(RallyError) -> RunValues {
    let placeCount = positions?.count ?? rows.tokenCount
    let predictionCount = targets == nil ? rows.tokenCount - rows.rowCount : rows.tokenCount
    // Before memory is taken for rows that are wrong.
    try check(rows)
    var values = RunValues()
    if parts.contains(.logits) { values.logits = try Self.numbers(placeCount, model.info.vocabularySize) }
    if parts.contains(.hidden) { values.hidden = try Self.numbers(placeCount, model.info.hiddenSize) }
    if parts.contains(.logProbabilities) { values.logProbabilities = try Self.numbers(predictionCount, 1) }
    if parts.contains(.depths) { values.depths = Array(repeating: 0, count: rows.tokenCount) }
    var outputs = RunOutputs()
    (outputs.positions, outputs.targets) = (positions, targets)
    try unsafe Self.lend(&values.logits) { (logits) throws(RallyError) in
      unsafe outputs.logits = logits
      try unsafe Self.lend(&values.hidden) { (hidden) throws(RallyError) in
        unsafe outputs.hidden = hidden
        try unsafe Self.lend(&values.logProbabilities) { (logProbabilities) throws(RallyError) in
          unsafe outputs.logProbabilities = logProbabilities
          try unsafe Self.lend(&values.depths) { (depths) throws(RallyError) in
            unsafe outputs.depths = depths
            try run(rows, options: options, outputs: outputs)
          }
        }
      }
    }
    return values
  }

  /// The memory of an array; nil of an empty one.
  private static func lend<Element>(
    _ array: inout [Element], _ body: (UnsafeMutablePointer<Element>?) throws(RallyError) -> Void
  ) throws(RallyError) {
    try unsafe array.withUnsafeMutableBufferPointer { (buffer) throws(RallyError) in
      try unsafe body(buffer.isEmpty ? nil : buffer.baseAddress)
    }
  }

  /// NaNs. An array ends the process where there is no memory for it, so that is looked for first.
  private static func numbers(_ rowCount: Int, _ width: Int) throws(RallyError) -> [Float] {
    let (count, overflow) = rowCount.multipliedReportingOverflow(by: width)
    guard !overflow, count <= Int(Int32.max) else {
      throw RallyError(
        .limitExceeded, "run", expected: "at most \(Int32.max) numbers of one call", found: "more",
        remedy: "give fewer rows, or positions")
    }
    _ = try AlignedStorage<Float>(count: count)
    return Array(repeating: .nan, count: count)
  }
}
