import Files
import Kernels
import Tensors

/// How one initializer is stored in the new file.
struct TensorStorage {
  /// Among the initializers of the old file.
  let index: Int
  let entry: TensorEntry
  /// Nil for what keeps its type.
  let kind: MatrixKind?
  let dataType: DataType
  let byteCount: Int
  /// Of an int8 or q4 matrix, [columns], or empty.
  var balance: [Float]
  /// In the data file; nil inside the model.
  var offset: Int?

  var isConverted: Bool { dataType != entry.dataType }
  /// Of an int8 or q4 matrix; 0 for other types.
  var scaleCount: Int {
    guard dataType.hasScales else { return 0 }
    return isConverted ? entry.shape.extents[0] * PackedMatrix.groupCount(inputs: entry.rowWidth) : entry.scales.count
  }
  /// Of data, scales and balance.
  var totalByteCount: Int { byteCount + scaleCount * dataType.scaleByteCount + balance.count * 4 }
}

/// How every initializer is stored in the new file: decided before anything is written.
struct StoragePlan {
  /// Weights above this go to a data file: protobuf messages end at 2³¹ − 1 bytes, and the graph needs room too.
  static let inlineLimit = 2_000_000_000
  /// Of offsets in the data file, so that a mapped tensor starts on a page.
  static let alignment = 4096
  /// Smaller tensors stay in the model.
  static let externalMinimum = 4096

  var storages: [TensorStorage] = []
  var hasDataFile: Bool { storages.contains { $0.offset != nil } }

  /// - Parameters:
  ///   - dataType: of the matrices that have a `MatrixKind`.
  ///   - others: initializers that are no weights and have their data outside of the model, by index.
  init(
    _ onnx: borrowing OnnxModel, _ model: ImportedModel, others: [(index: Int, entry: TensorEntry)],
    dataType: DataType, calibration: Calibration? = nil, inlineLimit: Int
  ) throws(RallyError) {
    for index in 0..<onnx.tensorCount {
      guard let place = model.indices[onnx.tensor(index).name] else { continue }
      try add(model.tensors[place], index: index, dataType: dataType)
    }
    for other in others { try add(other.entry, index: other.index, dataType: other.entry.dataType) }
    if let calibration { try balance(by: calibration) }
    if storages.reduce(0, { $0 + $1.byteCount }) > inlineLimit { layOutDataFile() }
  }

  private mutating func add(_ entry: TensorEntry, index: Int, dataType wanted: DataType) throws(RallyError) {
    let kind = MatrixKind(tensor: entry.name)
    let dataType = kind.map { $0.dataType(wanted, inputs: entry.rowWidth) } ?? entry.dataType
    guard entry.shape.elementCount <= Int.max / 8 else {
      throw RallyError(
        .limitExceeded, entry.name.quoted, expected: "a tensor that fits into memory as \(dataType)",
        found: "\(entry.shape)")
    }
    storages.append(
      TensorStorage(
        index: index, entry: entry, kind: kind, dataType: dataType,
        byteCount: dataType.byteCount(of: entry.shape.elementCount),
        balance: dataType == entry.dataType ? entry.balance : [], offset: nil))
  }

  private mutating func layOutDataFile() {
    var end = 0
    for index in storages.indices where storages[index].byteCount >= Self.externalMinimum {
      let offset = (end + Self.alignment - 1) / Self.alignment * Self.alignment
      storages[index].offset = offset
      end = offset + storages[index].byteCount
    }
  }
}
