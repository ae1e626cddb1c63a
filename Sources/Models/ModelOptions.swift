import Files
public import Kernels
public import Tensors

/// How a model is opened.
public struct ModelOptions: Sendable {
  /// Element type that products are computed in, f32, bf16, int8 or q4; nil for what the file's layers are stored in.
  public var dataType: DataType?
  /// Threads that pack the weights; 0 for as many as this process may use.
  public var threads = 0
  /// Whose threads pack them, shared with others; nil for threads of its own.
  public var pool: WorkerPool?
  /// What the model may take, with the runners and engines on it; 0 for no limit. See `MemoryBudget`.
  public var memoryByteLimit = 0
  public var limits = ModelLimits()
  /// Called with bytes of weights that were checked or packed, and twice the bytes in all; false cancels.
  public var progress: (@Sendable (_ done: UInt64, _ total: UInt64) -> Bool)?
  public var log: (@Sendable (ModelLog, String) -> Void)?
  /// A folder of prepared files, one of which is written where there is none for the model yet; nil for none. See `Model.prepare`.
  public var cacheFolder: String?
  /// Weights of a prepared file are mapped, and shared with others who map it; else copied, so that they cannot be cut off.
  public var sharesWeights = true

  public init() {}
}

extension ModelOptions {
  /// Of a model that is opened with these options; nil for no limit.
  var budget: MemoryBudget? { MemoryBudget.limited(to: memoryByteLimit) }

  /// The first half of opening.
  var checkProgress: ModelFile.Progress? {
    progress.map { progress in { done, total in progress(done, 2 * total) } }
  }

  func check() throws(RallyError) {
    try InstructionSet.checkEnvironment()
    guard [nil, .f32, .bf16, .int8, .q4].contains(dataType) else {
      throw RallyError(.invalidArgument, "dtype", expected: "f32, bf16, int8 or q4", found: dataType?.description ?? "")
    }
  }
}
