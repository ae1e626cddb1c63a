import Kernels
import Tensors

extension TensorEntry {
  /// Converts rows to f32: what every type stands for, exactly.
  ///
  /// - Parameters:
  ///   - rows: of the first axis; of a vector, its elements.
  ///   - destination: [rows.count, rowWidth], row-major.
  @unsafe
  package func copyFloats(rows: Range<Int>, into destination: UnsafeMutablePointer<Float>) {
    withExtendedLifetime(storage) { unsafe convert(rows: rows, into: destination) }
  }

  @unsafe
  private func convert(rows: Range<Int>, into destination: UnsafeMutablePointer<Float>) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= (shape.extents.first ?? 1))
    let width = rowWidth
    let first = rows.lowerBound * width
    let elements = unsafe UnsafeRawBufferPointer(
      rebasing: data[dataType.byteCount(of: first)..<dataType.byteCount(of: first + rows.count * width)])
    let count = rows.count * width
    switch dataType {
    case .f32:
      unsafe UnsafeMutableRawBufferPointer(start: destination, count: count * 4).copyMemory(from: elements)
    case .bf16:
      for index in 0..<count {
        let bits = unsafe elements.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
        unsafe destination[index] = Float(bitPattern: UInt32(bits) << 16)
      }
    case .f16:
      for index in 0..<count {
        let bits = unsafe elements.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
        unsafe destination[index] = Float(halfBits: bits)
      }
    case .int8:
      unsafe scales.withUnsafeBufferPointer { scales in
        unsafe balance.withUnsafeBufferPointer { balance in
          unsafe Self.convertInt8(
            elements, from: rows.lowerBound, width: width, scales, groupCount: groupCount, balance, into: destination)
        }
      }
    case .q4:
      guard let bytes = unsafe elements.bindMemory(to: UInt8.self).baseAddress else { return }
      unsafe scales.withUnsafeBufferPointer { scales in
        guard let scales = scales.baseAddress else { return }
        unsafe Conversion.q4(bytes, scales: scales + rows.lowerBound * groupCount, to: destination, count: count)
      }
      unsafe balance.withUnsafeBufferPointer { unsafe Self.apply($0, to: destination, count: count) }
    case .int32, .int64:
      preconditionFailure("only weights are converted")
    }
  }

  /// - Parameters:
  ///   - balance: one for each column, or empty.
  ///   - values: [count], whole rows.
  @unsafe
  static func apply(_ balance: UnsafeBufferPointer<Float>, to values: UnsafeMutablePointer<Float>, count: Int) {
    guard !balance.isEmpty else { return }
    for index in 0..<count { unsafe values[index] *= balance[index % balance.count] }
  }

  /// Whole rows of int8 numbers as f32, row-major.
  ///
  /// - Parameters:
  ///   - first: their first row.
  ///   - scales: of all rows of the matrix.
  ///   - balance: [width], or empty.
  @unsafe
  static func convertInt8(
    _ elements: UnsafeRawBufferPointer, from first: Int, width: Int, _ scales: UnsafeBufferPointer<Float>,
    groupCount: Int, _ balance: UnsafeBufferPointer<Float>, into destination: UnsafeMutablePointer<Float>
  ) {
    let groupWidth = width / groupCount
    for group in 0..<elements.count / groupWidth {
      let scale = unsafe scales[first * groupCount + group]
      for index in (group * groupWidth)..<(group * groupWidth + groupWidth) {
        unsafe destination[index] = Float(elements.loadUnaligned(fromByteOffset: index, as: Int8.self)) * scale
      }
    }
    unsafe apply(balance, to: destination, count: elements.count)
  }

  /// All of it as f32, for small tensors.
  package func floats() -> [Float] {
    unsafe [Float](unsafeUninitializedCapacity: shape.elementCount) { buffer, count in
      if let base = buffer.baseAddress {
        unsafe copyFloats(rows: 0..<(shape.extents.first ?? 1), into: base)
      }
      count = shape.elementCount
    }
  }
}

extension Float {
  /// A finite half float, widened.
  ///
  /// The ten bits of the fraction and the five of the exponent are moved to where f32 has them, and a
  /// product with 2¹¹² makes up for the difference of the two biases, 127 − 15, subnormal numbers
  /// included. Integer operations and one product: it vectorises without instructions for halves.
  @inline(__always)
  init(halfBits bits: UInt16) {
    let magnitude = Float(bitPattern: UInt32(bits & 0x7FFF) << 13) * 0x1p112
    self.init(bitPattern: magnitude.bitPattern | UInt32(bits & 0x8000) << 16)
  }
}
