import Kernels
import Tensors

extension TensorEntry {
  /// The rows of a matrix for packing as `dataType`: as they are stored if they have that type, else as f32.
  /// - Parameter balance: of the packed matrix, where rows are taken as they are stored.
  func rows(as dataType: DataType, balance: [Float]) -> WeightRows {
    let outputs = shape.extents[0]
    guard self.dataType == dataType, dataType != .f32, self.balance == balance else {
      return unsafe WeightRows(outputs: outputs) { range, destination in
        unsafe copyFloats(rows: range, into: destination.assumingMemoryBound(to: Float.self))
      } finish: { range in
        release(rows: range)
      }
    }
    return unsafe WeightRows(outputs: outputs, dataType: dataType, scales: scales) { range, destination in
      unsafe copyBytes(rows: range, into: destination)
    } finish: { range in
      release(rows: range)
    }
  }

  /// Rows may leave memory: packing a file takes little more than the packed weights.
  private func release(rows: Range<Int>) {
    let rowByteCount = dataType.byteCount(of: rowWidth)
    unsafe storage?.release(
      UnsafeRawBufferPointer(rebasing: data[rows.lowerBound * rowByteCount..<rows.upperBound * rowByteCount]))
  }

  /// Copies rows as they are stored, to [range.count, rowWidth].
  @unsafe
  private func copyBytes(rows: Range<Int>, into destination: UnsafeMutableRawPointer) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= shape.extents[0])
    let rowByteCount = dataType.byteCount(of: rowWidth)
    withExtendedLifetime(storage) {
      guard let base = unsafe data.baseAddress else { return }
      unsafe destination.copyMemory(
        from: base + rows.lowerBound * rowByteCount, byteCount: rows.count * rowByteCount)
    }
  }
}

extension ModelFile {
  /// The type to compute in that suits the file: what most weights of its layers are stored in, f32 for f16.
  var bestDataType: DataType {
    var counts: [(type: DataType, count: Int)] = [(.f32, 0), (.bf16, 0), (.int8, 0), (.q4, 0)]
    for entry in tensors where entry.shape.rank == 2 && Self.layerPrefixes.contains(where: entry.name.hasPrefix) {
      let type = entry.dataType == .f16 ? .f32 : entry.dataType
      for index in counts.indices where counts[index].type == type { counts[index].count += entry.shape.elementCount }
    }
    return counts.max { $0.count < $1.count }?.type ?? .f32
  }

  private static var layerPrefixes: [String] { ["first.", "block.", "last."] }
}
