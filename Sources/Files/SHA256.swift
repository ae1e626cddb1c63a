internal import CDigests

/// SHA-256 of bytes that come in pieces. A copy goes on from where it was made, so a common beginning is hashed once.
/// Source: FIPS 180-4.
package struct SHA256: Sendable {
  private var state: [UInt32] = [
    0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19,
  ]
  /// Bytes that do not fill a block yet, fewer than 64.
  private var rest: [UInt8] = []
  private var byteCount: UInt64 = 0

  package init() {}

  package mutating func update(_ bytes: some Collection<UInt8>) {
    let isContiguous: Void? = bytes.withContiguousStorageIfAvailable { unsafe update(UnsafeRawBufferPointer($0)) }
    if isContiguous == nil { unsafe Array(bytes).withUnsafeBytes { unsafe update($0) } }
  }

  /// As `update`, of memory: whole blocks are read where they are.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    byteCount += UInt64(bytes.count)
    var start = 0
    if !rest.isEmpty {
      start = min(Self.blockByteCount - rest.count, bytes.count)
      unsafe rest.append(contentsOf: bytes[..<start])
      guard rest.count == Self.blockByteCount else { return }
      unsafe rest.withUnsafeBytes { unsafe absorb($0) }
      rest.removeAll(keepingCapacity: true)
    }
    let end = start + (bytes.count - start) / Self.blockByteCount * Self.blockByteCount
    unsafe absorb(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    unsafe rest.append(contentsOf: bytes[end...])
  }

  /// The 32 bytes for all that came. O(1) besides the updates.
  package consuming func finalize() -> [UInt8] {
    let bitCount = byteCount &* 8
    let zeroCount = (119 - rest.count) % Self.blockByteCount
    update([0x80] + [UInt8](repeating: 0, count: zeroCount) + Self.bytes(bitCount))
    return state.flatMap(Self.bytes)
  }

  package static func digest(_ bytes: some Collection<UInt8>) -> [UInt8] {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finalize()
  }

  private static var blockByteCount: Int { 64 }

  private static func bytes(_ word: some FixedWidthInteger & UnsignedInteger) -> [UInt8] {
    stride(from: word.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> $0) }
  }

  /// - Parameter blocks: whole ones.
  private mutating func absorb(_ blocks: UnsafeRawBufferPointer) {
    guard let base = blocks.baseAddress, blocks.count > 0 else { return }
    let address = unsafe base.assumingMemoryBound(to: UInt8.self)
    unsafe state.withUnsafeMutableBufferPointer { state in
      unsafe rd_sha256(state.baseAddress, address, blocks.count / Self.blockByteCount)
    }
  }
}
