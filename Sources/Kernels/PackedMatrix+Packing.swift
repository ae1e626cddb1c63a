import CKernels
import Files
import Tensors

extension PackedMatrix {
  /// Fills every panel, with buffers for each worker.
  func pack(_ rows: [WeightRows], _ plan: PanelPlan, _ pool: WorkerPool?) throws(RallyError) {
    let workerCount = pool?.threadCount ?? 1
    let widest = panels.reduce(0) { max($0, $1.outputs.count) }
    // A panel's rows in its own type, [widest, inputs], on a whole number of cache lines.
    let panelByteCount = (dataType.byteCount(of: widest * inputs) + 63) / 64 * 64
    let panelRows = try AlignedStorage<UInt8>(count: panelByteCount * workerCount)
    // One row on its way from f32.
    let floats = try AlignedStorage<Float>(count: inputs * workerCount)
    // Scales of a panel, [widest, groupCount].
    let panelScales = try AlignedStorage<Float>(count: widest * groupCount * workerCount)
    func packOne(_ index: Int, _ worker: Int) {
      let piece = plan.pieces[index]
      let buffer = unsafe UnsafeMutableRawPointer(panelRows.base + worker * panelByteCount)
      let ownScales = unsafe panelScales.base + worker * widest * groupCount
      unsafe fetch(piece, of: rows[piece.source], into: buffer, through: floats.base + worker * inputs, ownScales)
      if dataType == .int8 {
        let place = piece.firstStrip * rk_matmul_columns * groupCount
        unsafe rk_matmul_pack_scales(ownScales, piece.rows.count, groupCount, scales.base + place)
      }
      unsafe panels[index].fill(from: buffer, ownScales, dataType, isPaired, inputs: inputs)
      rows[piece.source].finish(piece.rows)
    }
    if let pool {
      pool.parallelFor(panels.count, packOne)
    } else {
      for index in panels.indices { packOne(index, 0) }
    }
  }

  /// A panel's rows in the matrix' own type, [piece.rows.count, inputs], and their scales, [piece.rows.count, groupCount].
  private func fetch(
    _ piece: PanelPlan.Piece, of source: WeightRows, into buffer: UnsafeMutableRawPointer,
    through floats: UnsafeMutablePointer<Float>, _ scales: UnsafeMutablePointer<Float>
  ) {
    if source.dataType == dataType {
      unsafe source.copy(piece.rows, buffer)
      guard dataType.hasScales else { return }
      let stored = source.scales.count / source.outputs
      for place in 0..<piece.rows.count * groupCount {
        let (row, group) = place.quotientAndRemainder(dividingBy: groupCount)
        unsafe scales[place] = source.scales[(piece.rows.lowerBound + row) * stored + min(group, stored - 1)]
      }
      return
    }
    let rowByteCount = dataType.byteCount(of: inputs)
    for row in piece.rows {
      unsafe source.copy(row..<row + 1, floats)
      let place = row - piece.rows.lowerBound
      let destination = unsafe buffer + place * rowByteCount
      switch dataType {
      case .q4:
        unsafe Conversion.f32(
          floats, toQ4: destination.assumingMemoryBound(to: UInt8.self), scales: scales + place * groupCount, count: inputs)
      case .int8:
        unsafe Conversion.f32(
          floats, toInt8: destination.assumingMemoryBound(to: Int8.self), scales: scales + place * groupCount,
          groupCount: groupCount, count: inputs)
      default:
        unsafe Conversion.f32(floats, toBF16: destination.assumingMemoryBound(to: UInt16.self), count: inputs)
      }
    }
  }
}

extension PackedMatrix.Panel {
  /// Packs rows [outputs.count, inputs] of `dataType`; with q4 their scales, too.
  fileprivate func fill(
    from rows: UnsafeMutableRawPointer, _ scales: UnsafePointer<Float>, _ dataType: DataType, _ isPaired: Bool, inputs: Int
  ) {
    switch dataType {
    case .bf16 where isPaired:
      unsafe rk_matmul_pack_bf16_pairs(
        rows.assumingMemoryBound(to: UInt16.self), outputs.count, inputs, data.assumingMemoryBound(to: UInt32.self))
    case .bf16:
      unsafe rk_matmul_pack_bf16(
        rows.assumingMemoryBound(to: UInt16.self), outputs.count, inputs, data.assumingMemoryBound(to: UInt32.self))
    case .q4:
      unsafe rk_matmul_pack_q4(
        rows.assumingMemoryBound(to: UInt8.self), scales, outputs.count, inputs, data.assumingMemoryBound(to: UInt8.self))
    case .int8:
      unsafe rk_matmul_pack_int8(
        rows.assumingMemoryBound(to: Int8.self), outputs.count, inputs, data.assumingMemoryBound(to: UInt8.self))
    default:
      unsafe rk_matmul_pack_f32(
        rows.assumingMemoryBound(to: Float.self), outputs.count, inputs, data.assumingMemoryBound(to: Float.self))
    }
  }
}
