package import Tensors

/// One tensor of a model file, as it is stored.
///
/// A view into the file, which it keeps open; of a model in memory, valid while those bytes are. Its
/// data is as long as its shape and type ask for.
@safe
package struct TensorEntry: @unchecked Sendable {  // nobody writes to the bytes
  package let name: String
  package let dataType: DataType
  package let shape: Shape
  /// Little-endian and row-major; may start at any address.
  @unsafe package let data: UnsafeRawBufferPointer
  /// [out], one per row of an int8 matrix; empty for other types.
  package let scales: [Float]
  /// What `data` is part of; nil for bytes that the caller keeps.
  let storage: (any TensorBytes)?

  @unsafe
  init(
    name: String, dataType: DataType, shape: Shape, data: UnsafeRawBufferPointer,
    storage: (any TensorBytes)?, scales: [Float] = []
  ) {
    self.name = name
    self.dataType = dataType
    self.shape = shape
    unsafe self.data = data
    self.scales = scales
    self.storage = storage
  }

  /// Extents beyond the first multiplied: the length of a row of a matrix, 1 for a vector.
  package var rowWidth: Int { shape.extents.dropFirst().reduce(1, *) }

  /// The place of the first NaN or infinity, or nil.
  ///
  /// One pass over the data at memory speed. Whole numbers have none.
  package func firstNotFinite() -> Int? {
    withExtendedLifetime(storage) {
      switch dataType {
      case .f32: unsafe data.firstNotFinite(exponent: UInt32(0x7F80_0000), lowestBit: 0x0080_0000)
      case .f16: unsafe data.firstNotFinite(exponent: UInt16(0x7C00), lowestBit: 0x0400)
      case .bf16: unsafe data.firstNotFinite(exponent: UInt16(0x7F80), lowestBit: 0x0080)
      case .int8, .int32, .int64: nil
      }
    }
  }

  /// The numbers of an int64 tensor.
  func integers() -> [Int64] {
    precondition(dataType == .int64)
    return withExtendedLifetime(storage) {
      (0..<shape.elementCount).map { unsafe data.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self) }
    }
  }
}

extension UnsafeRawBufferPointer {
  /// The index of the first element whose exponent bits are all ones.
  ///
  /// Adding the exponent's lowest bit to an exponent of ones carries into the sign bit, so a block is
  /// judged by one `or` of sums: two operations per element, which vectorise on any machine.
  func firstNotFinite<Bits: FixedWidthInteger & BitwiseCopyable>(exponent: Bits, lowestBit: Bits) -> Int? {
    // 4 KiB stay in the first-level cache for the second look.
    let blockCount = 4096 / MemoryLayout<Bits>.size
    let total = count / MemoryLayout<Bits>.size
    var start = 0
    while start < total {
      let end = Swift.min(start &+ blockCount, total)
      var carried: Bits = 0
      for index in start..<end {
        let bits = unsafe loadUnaligned(fromByteOffset: index &* MemoryLayout<Bits>.size, as: Bits.self)
        carried |= (bits & exponent) &+ lowestBit
      }
      if carried >> (Bits.bitWidth - 1) & 1 == 1 {
        return (start..<end).first { index in
          let bits = unsafe loadUnaligned(fromByteOffset: index &* MemoryLayout<Bits>.size, as: Bits.self)
          return bits & exponent == exponent
        }
      }
      start = end
    }
    return nil
  }
}
