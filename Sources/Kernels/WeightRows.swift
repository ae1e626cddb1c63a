public import Tensors

/// One matrix [outputs, inputs] on its way into a `PackedMatrix`, a few rows at a time, so that no second
/// copy of it is needed.
@safe public struct WeightRows {
  public let outputs: Int
  /// What `copy` writes: f32, or the type that the matrix will be packed in, to be taken over bit for bit.
  public let dataType: DataType
  /// [outputs, groups], of int8 and q4 rows: what the numbers of a row, or of each group of its inputs, are multiplied by. Empty
  /// for other types.
  public let scales: [Float]
  let copy: (_ rows: Range<Int>, _ destination: UnsafeMutableRawPointer) -> Void
  let finish: (_ rows: Range<Int>) -> Void

  /// - Parameters:
  ///   - outputs: ≥ 1.
  ///   - copy: writes rows `range`, [range.count, inputs] of `dataType`, row-major, to aligned memory. Called on
  ///     several threads at once.
  ///   - finish: told of rows that are packed, which are not asked for again. Called on several threads, too.
  public init(
    outputs: Int, dataType: DataType = .f32, scales: [Float] = [],
    copy: @escaping (_ rows: Range<Int>, _ destination: UnsafeMutableRawPointer) -> Void,
    finish: @escaping (_ rows: Range<Int>) -> Void = { _ in }
  ) {
    precondition(outputs > 0 && (dataType.hasScales ? scales.count >= outputs && scales.count % outputs == 0 : scales.isEmpty))
    self.outputs = outputs
    self.dataType = dataType
    self.scales = scales
    unsafe self.copy = copy
    self.finish = finish
  }
}
