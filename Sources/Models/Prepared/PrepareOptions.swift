public import Tensors

/// How a prepared file is written.
public struct PrepareOptions: Sendable {
  /// Element type that products are computed in, f32, bf16, int8 or q4; nil for what the file's layers are stored in.
  public var dataType: DataType?
  /// UTF-8, for int8 and q4: as in `Model.quantize`, whose result is prepared then.
  public var calibrationText: [UInt8]?
  /// Threads that pack the weights; 0 for as many as this process may use.
  public var threads = 0
  /// Called with bytes of weights that were checked, packed or written, and those in all; false cancels.
  public var progress: (@Sendable (_ done: UInt64, _ total: UInt64) -> Bool)?

  public init() {}
}
