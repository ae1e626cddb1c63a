/// What became of a file whose matrices were stored in another type.
public struct QuantizationReport: Sendable {
  /// Matrices of one kind, or all tensors that kept their type.
  public struct Group: Sendable {
    public internal(set) var tensorCount = 0
    /// Data and scales, in the old file.
    public internal(set) var byteCountBefore = 0
    public internal(set) var byteCountAfter = 0
    /// Of the rows' relative errors ‖new − old‖ / ‖old‖; a row of zeros has none.
    public internal(set) var greatestError = 0.0
    public var meanError: Double { rowCount == 0 ? 0 : errorSum / Double(rowCount) }

    var errorSum = 0.0
    var rowCount = 0
  }

  /// The model file and its data files.
  public internal(set) var byteCountBefore = 0
  public internal(set) var byteCountAfter = 0
  /// Of the kinds that the model has.
  public internal(set) var matrices: [(kind: MatrixKind, group: Group)] = []
  /// Norms, biases, routers and all else that keeps its type.
  public internal(set) var others = Group()
  /// The file next to the new model that holds its data, if one was needed.
  public internal(set) var dataPath: String?
}

extension QuantizationReport.Group {
  mutating func add(rowError error: Double) {
    greatestError = max(greatestError, error)
    errorSum += error
    rowCount += 1
  }

  mutating func add(_ storage: TensorStorage) {
    tensorCount += 1
    let old = storage.entry
    byteCountBefore += unsafe old.data.count + old.scales.count * old.dataType.scaleByteCount + old.balance.count * 4
    byteCountAfter += storage.totalByteCount
  }
}
