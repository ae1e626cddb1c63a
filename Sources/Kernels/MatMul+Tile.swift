import CKernels

extension MatMul {
  /// Rows that one worker converts at a time; as many as are not worth a second worker.
  private static var rowsPerTask: Int { 8 }

  /// x → `rowStorage`, each row once, before tiles of it are multiplied by every panel.
  func convert(_ call: Call) {
    let taskCount = (call.rows + Self.rowsPerTask - 1) / Self.rowsPerTask
    pool.parallelFor(taskCount, with: call) { call, task, _ in
      let rows = task * Self.rowsPerTask..<min(call.rows, (task + 1) * Self.rowsPerTask)
      if let (operation, x) = call.first { operation.apply(to: x, rows: rows) }
      for row in rows {
        unsafe call.matmul.convert(row: row, call.x + row * call.xStride, call.matrix)
      }
    }
  }

  private func convert(row: Int, _ x: UnsafePointer<Float>, _ matrix: PackedMatrix) {
    let destination = unsafe convertedRow(row, matrix)
    if matrix.dataType.hasScales {
      let factors = unsafe matrix.factors.count > 0 ? matrix.factors.base : nil
      unsafe rk_quantize_rows(
        x, matrix.inputs, factors, matrix.group, Int32(matrix.dataType == .q4 ? rk_q4_zero : rk_int8_zero),
        destination.assumingMemoryBound(to: Int8.self),
        matrix.convertedRowByteCount, rowScales.base + row * matrix.groupCount, rowStarts.base + row * matrix.groupCount, 1,
        matrix.inputs)
    } else {
      let halves = unsafe destination.assumingMemoryBound(to: UInt16.self)
      unsafe Conversion.f32(x, toBF16: halves, count: matrix.inputs)
      if !matrix.inputs.isMultiple(of: 2) { unsafe halves[matrix.inputs] = 0 }
    }
  }

  private func convertedRow(_ row: Int, _ matrix: PackedMatrix) -> UnsafeMutableRawPointer {
    unsafe UnsafeMutableRawPointer(rowStorage.base + row * matrix.convertedRowByteCount)
  }

  /// One task of a call: a panel, or a strip of one of the last panels, times one tile of rows.
  func run(_ call: Call, _ task: Int) {
    if task < call.wholeTaskCount {
      let panel = call.matrix.panels[call.panels.lowerBound + task / call.tileCount]
      multiply(call, tile: task % call.tileCount, by: panel, strips: 0..<PackedMatrix.panelStrips)
    } else {
      let (index, strip) = (task - call.wholeTaskCount).quotientAndRemainder(dividingBy: PackedMatrix.panelStrips)
      let panel = call.matrix.panels[call.panels.upperBound - call.cutPanelCount + index]
      multiply(call, tile: 0, by: panel, strips: strip..<strip + 1)
    }
  }

  /// Rows of one tile times strips of a panel, as far as the panel has them.
  private func multiply(_ call: Call, tile: Int, by panel: PackedMatrix.Panel, strips: Range<Int>) {
    let matrix = call.matrix
    let first = tile * Self.tileRows
    let rows = min(Self.tileRows, call.rows - first)
    let firstOfStrips = panel.outputs.lowerBound + strips.lowerBound * rk_matmul_columns
    guard firstOfStrips < panel.outputs.upperBound else { return }
    let outputs = firstOfStrips..<min(firstOfStrips + strips.count * rk_matmul_columns, panel.outputs.upperBound)
    let firstOutput = matrix.panels[call.panels.lowerBound].outputs.lowerBound
    let x = unsafe call.x + first * call.xStride
    let y = unsafe call.y + first * call.yStride + (outputs.lowerBound - firstOutput)
    let weights = unsafe panel.data + strips.lowerBound * matrix.stripByteCount
    let bias = unsafe call.bias.map { unsafe $0 + outputs.lowerBound }
    switch matrix.dataType {
    case .int8:
      unsafe rk_matmul_int8(
        convertedRow(first, matrix).assumingMemoryBound(to: Int8.self), matrix.convertedRowByteCount,
        rowScales.base + first * matrix.groupCount, rowStarts.base + first * matrix.groupCount, matrix.group,
        weights.assumingMemoryBound(to: UInt8.self),
        matrix.scales.base + (panel.firstStrip + strips.lowerBound) * rk_matmul_columns * matrix.groupCount, bias,
        y, call.yStride, rows, outputs.count, matrix.inputs)
    case .q4:
      unsafe rk_matmul_q4(
        convertedRow(first, matrix).assumingMemoryBound(to: Int8.self), matrix.convertedRowByteCount,
        rowScales.base + first * matrix.groupCount, rowStarts.base + first * matrix.groupCount,
        weights.assumingMemoryBound(to: UInt8.self), bias, y, call.yStride, rows, outputs.count, matrix.inputs)
    case .bf16 where matrix.isPaired:
      unsafe rk_matmul_bf16_pairs(
        convertedRow(first, matrix).assumingMemoryBound(to: UInt16.self), matrix.convertedRowByteCount / 2,
        weights.assumingMemoryBound(to: UInt32.self), bias, y, call.yStride, rows, outputs.count, matrix.inputs)
    case .bf16:
      unsafe rk_matmul_bf16(
        x, call.xStride, weights.assumingMemoryBound(to: UInt32.self), bias, y, call.yStride, rows, outputs.count,
        matrix.inputs)
    default:
      unsafe rk_matmul_f32(
        x, call.xStride, weights.assumingMemoryBound(to: Float.self), bias, y, call.yStride, rows, outputs.count,
        matrix.inputs)
    }
  }
}
