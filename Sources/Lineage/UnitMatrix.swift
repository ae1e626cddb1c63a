package import Files
package import Kernels
package import Models
package import Tensors

/// A matrix whose hidden units can be told.
package struct UnitMatrix: Sendable {
  package let tensor: TensorEntry
  package let unitCount: Int
  /// Numbers of one unit, before features are left out.
  package private(set) var unitWidth: Int
  private let layout: UnitLayout
  private var rowCount: Int
  private let columnCount: Int

  /// Rows of a matrix whose units are columns, at most: the tokens of an embedding are more than the test needs. Those
  /// that stay are spread evenly, the same of both models.
  private static let maximumFeatureCount = 4096

  /// - Throws: `invalidShape` for no matrix, an empty one, or one that the heads do not fit.
  init(_ tensor: TensorEntry, _ layout: UnitLayout) throws(RallyError) {
    guard tensor.shape.rank == 2, tensor.shape.elementCount > 0 else {
      throw RallyError(.invalidShape, tensor.name.quoted, expected: "a matrix", found: "\(tensor.shape)")
    }
    (rowCount, columnCount) = (tensor.shape.extents[0], tensor.shape.extents[1])
    let (extent, span) =
      switch layout {
      case .rows(let span): (rowCount, span)
      case .columns(let span): (columnCount, span)
      }
    guard span > 0, extent % span == 0 else {
      throw RallyError(
        .invalidShape, tensor.name.quoted, expected: "whole heads of \(span) rows or columns", found: "\(tensor.shape)",
        remedy: "config.json says how many heads there are")
    }
    self.tensor = tensor
    self.layout = layout
    unitCount = extent / span
    unitWidth = tensor.shape.elementCount / unitCount
  }

  /// A matrix [rows, columns] f32 of the caller's, whose rows are units.
  ///
  /// - Parameter data: read as long as the result is in use.
  @unsafe
  package init(name: String, data: UnsafeBufferPointer<Float>, rows: Int, columns: Int) throws(RallyError) {
    guard let shape = Shape([rows, columns]), shape.elementCount == data.count else {
      throw RallyError(.invalidShape, name.quoted, expected: "rows · columns numbers", found: "\(rows) · \(columns)")
    }
    let entry = unsafe TensorEntry(
      name: name, dataType: .f32, shape: shape, data: UnsafeRawBufferPointer(data), storage: nil)
    try self.init(entry, .rows(span: 1))
  }

  package var shape: Shape { tensor.shape }

  /// Matrices over vocabularies, one of which was extended: each with the tokens that both have. Others stay as they are.
  ///
  /// Any choice of features that does not depend on the weights is valid.
  package static func withCommonTokens(_ a: UnitMatrix, _ b: UnitMatrix) -> (a: UnitMatrix, b: UnitMatrix) {
    guard case .columns = a.layout, a.layout == b.layout, a.columnCount == b.columnCount else { return (a, b) }
    let rowCount = min(a.rowCount, b.rowCount)
    return (a.with(rowCount: rowCount), b.with(rowCount: rowCount))
  }

  private func with(rowCount: Int) -> UnitMatrix {
    var result = self
    result.rowCount = rowCount
    result.unitWidth = rowCount * columnCount / unitCount
    return result
  }

  /// Whether units of both have the same features.
  package func matches(_ other: UnitMatrix) -> Bool {
    rowCount == other.rowCount && columnCount == other.columnCount && unitCount == other.unitCount
  }

  /// Some units, each divided by its length, [units.count, width] f64.
  ///
  /// - Throws: `notFinite`, naming the tensor; `outOfMemory`.
  package func vectors(_ units: [Int]) throws(RallyError) -> DoubleRows {
    let result =
      switch layout {
      case .rows(let span): try rowVectors(units, span: span)
      case .columns(let span): try columnVectors(units, span: span)
      }
    result.normalize()
    return result
  }

  private func rowVectors(_ units: [Int], span: Int) throws(RallyError) -> DoubleRows {
    let result = try DoubleRows(rowCount: units.count, width: unitWidth)
    let row = try FloatStorage(count: columnCount)
    for (place, unit) in units.enumerated() {
      for part in 0..<span {
        try read(row: unit * span + part, into: row)
        unsafe result.set(row: place, column: part * columnCount, from: row.base, count: columnCount)
      }
    }
    return result
  }

  private func columnVectors(_ units: [Int], span: Int) throws(RallyError) -> DoubleRows {
    let features = EvenSubset.of(rowCount, limit: Self.maximumFeatureCount)
    let result = try DoubleRows(rowCount: units.count, width: features.count * span)
    let row = try FloatStorage(count: columnCount)
    for (feature, index) in features.enumerated() {
      try read(row: index, into: row)
      for (place, unit) in units.enumerated() {
        unsafe result.set(row: place, column: feature * span, from: row.base + unit * span, count: span)
      }
    }
    return result
  }

  private func read(row: Int, into storage: FloatStorage) throws(RallyError) {
    unsafe tensor.copyFloats(rows: row..<row + 1, into: storage.base)
    guard let place = unsafe Rows.firstNotFinite(storage.base, count: columnCount) else { return }
    throw RallyError(
      .notFinite, tensor.name.quoted, expected: "finite numbers", found: "\(storage[place]) at [\(row), \(place)]")
  }
}

/// Which of many things are looked at: spread evenly, the same for the same number.
package enum EvenSubset {
  /// ⌊i · count / limit⌋ for i < limit, or all where there are no more.
  package static func of(_ count: Int, limit: Int) -> [Int] {
    guard count > limit else { return Array(0..<count) }
    return (0..<limit).map { Int(Int128($0) * Int128(count) / Int128(limit)) }
  }
}
