import Files
import Tensors

/// What a text says about the inputs of a model's matrices.
package struct Calibration {
  /// Matrices that are given the same rows, and what those were.
  package struct Input {
    let names: [String]
    let statistics: InputStatistics

    package init(names: [String], statistics: InputStatistics) {
      self.names = names
      self.statistics = statistics
    }
  }
  let inputs: [Input]

  package init(inputs: [Input]) { self.inputs = inputs }

  func statistics(of name: String) -> InputStatistics? { inputs.first { $0.names.contains(name) }?.statistics }
}

extension StoragePlan {
  /// Divides the channels of matrices that become int8 between them and their rows.
  mutating func balance(by calibration: Calibration) throws(RallyError) {
    for input in calibration.inputs {
      let places = storages.indices.filter { input.names.contains(storages[$0].entry.name) }
      guard places.count == input.names.count,
        places.allSatisfy({ storages[$0].dataType == .int8 && storages[$0].isConverted })
      else { continue }
      var columns = [Float](repeating: 0, count: input.statistics.inputs)
      for place in places { try storages[place].entry.takeColumnMaxima(into: &columns) }
      let balance = Balance.between(rows: input.statistics.maxima, columns: columns)
      for place in places { storages[place].balance = balance }
    }
  }
}

extension TensorEntry {
  /// Raises each number to the largest magnitude of its column.
  fileprivate func takeColumnMaxima(into columns: inout [Float]) throws(RallyError) {
    let row = try FloatStorage(count: rowWidth)
    for index in 0..<shape.extents[0] {
      unsafe copyFloats(rows: index..<index + 1, into: row.base)
      for column in columns.indices { columns[column] = max(columns[column], abs(row[column])) }
    }
  }
}
