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
    case .int8, .q4:
      unsafe scales.withUnsafeBufferPointer { scales in
        let scales = unsafe UnsafeBufferPointer(
          rebasing: scales[rows.lowerBound * groupCount..<rows.upperBound * groupCount])
        unsafe balance.withUnsafeBufferPointer { balance in
          unsafe Self.convert(elements, of: dataType, scales: scales, balance: balance, into: destination, count: count)
        }
      }
    case .int32, .int64:
      preconditionFailure("only weights are converted")
    }
  }

  /// Whole rows of int8 or q4 numbers as f32, row-major.
  ///
  /// - Parameters:
  ///   - scales: one for each group of elements, all of them equally wide.
  ///   - balance: [width], or empty.
  ///   - destination: [count].
  @unsafe
  static func convert(
    _ elements: UnsafeRawBufferPointer, of dataType: DataType, scales: UnsafeBufferPointer<Float>,
    balance: UnsafeBufferPointer<Float>, into destination: UnsafeMutablePointer<Float>, count: Int
  ) {
    guard let bytes = elements.baseAddress, let first = scales.baseAddress else { return }
    if dataType == .q4 {
      unsafe Conversion.q4(bytes.assumingMemoryBound(to: UInt8.self), scales: first, to: destination, count: count)
    } else {
      let groupWidth = count / scales.count
      for group in scales.indices {
        let scale = unsafe scales[group]
        for index in group * groupWidth..<(group + 1) * groupWidth {
          unsafe destination[index] = Float(elements.loadUnaligned(fromByteOffset: index, as: Int8.self)) * scale
        }
      }
    }
    guard !balance.isEmpty else { return }
    for index in 0..<count { unsafe destination[index] *= balance[index % balance.count] }
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
