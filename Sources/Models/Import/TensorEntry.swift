package import Kernels
package import Tensors

/// One tensor of a model file, as it is stored.
///
/// A view into the file, which it keeps open; of a model in memory, valid while those bytes are. Its
/// data is as long as its shape and type ask for.
@safe
package struct TensorEntry: @unchecked Sendable {  // nothing writes to the bytes
  package let name: String
  package let dataType: DataType
  package let shape: Shape
  /// Little-endian and row-major; may start at any address.
  @unsafe package let data: UnsafeRawBufferPointer
  /// [out, groupCount] of an int8 or q4 matrix; empty for other types.
  package let scales: [Float]
  /// [in] of an int8 or q4 matrix, powers of two: what the numbers of a column are multiplied by, too. Empty for nothing.
  package let balance: [Float]
  /// What `data` is part of; nil for bytes that the caller keeps.
  package let storage: (any TensorBytes)?

  @unsafe
  package init(
    name: String, dataType: DataType, shape: Shape, data: UnsafeRawBufferPointer,
    storage: (any TensorBytes)?, scales: [Float] = [], balance: [Float] = []
  ) {
    self.name = name
    self.dataType = dataType
    self.shape = shape
    unsafe self.data = data
    self.scales = scales
    self.balance = balance
    self.storage = storage
  }

  /// Extents beyond the first multiplied: the length of a row of a matrix, 1 for a vector.
  package var rowWidth: Int { shape.extents.dropFirst().reduce(1, *) }

  /// Scales of a row of an int8 or q4 matrix.
  package var groupCount: Int { max(1, scales.count / max(1, shape.extents.first ?? 1)) }

  /// The place of the first NaN or infinity, or nil. Whole numbers have none.
  package func firstNotFinite() -> Int? {
    var digest = Digest()
    return examine(&digest)
  }

  /// The place of the first NaN or infinity, or nil; `digest` takes in all before it.
  ///
  /// One pass over the data at memory speed: what was looked at is still in the first-level cache when the
  /// digest reads it. Cut every 4 KiB of the data, wherever it is stored.
  package func examine(_ digest: inout Digest) -> Int? {
    withExtendedLifetime(storage) {
      unsafe scales.withUnsafeBytes { unsafe digest.absorb($0) }
      unsafe balance.withUnsafeBytes { unsafe digest.absorb($0) }
      let blockByteCount = 4096
      for start in stride(from: 0, to: unsafe data.count, by: blockByteCount) {
        let end = unsafe min(start + blockByteCount, data.count)
        let block = unsafe UnsafeRawBufferPointer(rebasing: data[start..<end])
        if let place = unsafe firstNotFinite(in: block) { return start * 8 / dataType.bitCount + place }
        unsafe digest.absorb(block)
      }
      return nil
    }
  }

  private func firstNotFinite(in block: UnsafeRawBufferPointer) -> Int? {
    switch dataType {
    case .f32: unsafe block.firstNotFinite(exponent: UInt32(0x7F80_0000), lowestBit: 0x0080_0000)
    case .f16: unsafe block.firstNotFinite(exponent: UInt16(0x7C00), lowestBit: 0x0400)
    case .bf16: unsafe block.firstNotFinite(exponent: UInt16(0x7F80), lowestBit: 0x0080)
    case .int8, .q4, .int32, .int64: nil
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
  /// Adding the exponent's lowest bit to an exponent of ones carries into the sign bit, so all elements are
  /// judged by one `or` of sums: two operations per element, which vectorise on any machine.
  fileprivate func firstNotFinite<Bits: FixedWidthInteger & BitwiseCopyable>(
    exponent: Bits, lowestBit: Bits
  ) -> Int? {
    let total = count / MemoryLayout<Bits>.size
    var carried: Bits = 0
    for index in 0..<total {
      let bits = unsafe loadUnaligned(fromByteOffset: index &* MemoryLayout<Bits>.size, as: Bits.self)
      carried |= (bits & exponent) &+ lowestBit
    }
    guard carried >> (Bits.bitWidth - 1) & 1 == 1 else { return nil }
    return (0..<total).first { index in
      let bits = unsafe loadUnaligned(fromByteOffset: index &* MemoryLayout<Bits>.size, as: Bits.self)
      return bits & exponent == exponent
    }
  }
}
