import Files
import Glibc
import Kernels
import Tensors

/// A table of rows that are looked up, kept in the element type of its file.
package final class EmbeddingTable: Sendable {
  private let bytes: AlignedStorage<UInt8>
  /// Of an int8 or q4 table, as in `TensorEntry`; empty for other types.
  private let scales: AlignedStorage<Float>
  private let balance: AlignedStorage<Float>
  /// The table's bytes, seen as a tensor, which has no scales of its own.
  private let entry: TensorEntry

  package var byteCount: Int { bytes.count }

  /// Copies `source`, so that its file can be closed.
  /// - Throws: `outOfMemory`.
  init(_ source: TensorEntry) throws(RallyError) {
    bytes = try unsafe AlignedStorage(count: source.data.count)
    if let start = unsafe source.data.baseAddress {
      unsafe memcpy(bytes.base, start, source.data.count)
    }
    scales = try Self.copy(source.scales)
    balance = try Self.copy(source.balance)
    entry = Self.entry(TensorInfo(source), bytes)
  }

  /// A table that was written before, as a part of `file`.
  ///
  /// - Parameter parts: as `parts` gave them out, each on a cache line.
  /// - Throws: `truncatedData` where they are none of such a table.
  init(_ info: TensorInfo, parts: [UnsafeRawBufferPointer], of file: MappedFile) throws(RallyError) {
    let counts = unsafe parts.map(\.count)
    let (rows, width, float) = (info.shape[0], info.shape[1], MemoryLayout<Float>.stride)
    let groups = rows * PackedMatrix.groupCount(inputs: width)
    let scaleCounts = info.dataType == .int8 ? [rows, groups] : [info.dataType == .q4 ? groups : 0]
    let (balanceCounts, byteCount) = (info.dataType.hasScales ? [0, width] : [0], info.dataType.byteCount(of: info.elementCount))
    guard counts.count == 3, counts[0] == byteCount, scaleCounts.contains(where: { $0 * float == counts[1] }),
      balanceCounts.contains(where: { $0 * float == counts[2] })
    else {
      throw RallyError(
        .truncatedData, info.name.quoted, expected: "\(byteCount) bytes, and scales for them", found: "parts of \(counts) bytes")
    }
    bytes = unsafe AlignedStorage(parts[0], of: file)
    scales = unsafe AlignedStorage(parts[1], of: file)
    balance = unsafe AlignedStorage(parts[2], of: file)
    entry = Self.entry(info, bytes)
  }

  /// The bytes that stand for it: elements, scales, balance.
  @unsafe var parts: [UnsafeRawBufferPointer] { unsafe [bytes.bytes, scales.bytes, balance.bytes] }

  /// Row `index` as f32, [D].
  @unsafe
  package func copyRow(_ index: Int, to destination: UnsafeMutablePointer<Float>) {
    guard entry.dataType.hasScales else { return unsafe entry.copyFloats(rows: index..<index + 1, into: destination) }
    precondition(index >= 0 && index < entry.shape.extents[0])
    let (width, groupCount) = (entry.rowWidth, scales.count / entry.shape.extents[0])
    let (start, end) = (entry.dataType.byteCount(of: index * width), entry.dataType.byteCount(of: (index + 1) * width))
    unsafe TensorEntry.convert(
      UnsafeRawBufferPointer(start: bytes.base + start, count: end - start), of: entry.dataType,
      scales: UnsafeBufferPointer(start: scales.base + index * groupCount, count: groupCount),
      balance: UnsafeBufferPointer(start: balance.base, count: balance.count), into: destination, count: width)
  }

  private static func entry(_ info: TensorInfo, _ bytes: borrowing AlignedStorage<UInt8>) -> TensorEntry {
    guard let shape = Shape(info.shape) else { preconditionFailure("it was a shape before") }
    return unsafe TensorEntry(name: info.name, dataType: info.dataType, shape: shape, data: bytes.bytes, storage: nil)
  }

  private static func copy(_ values: [Float]) throws(RallyError) -> AlignedStorage<Float> {
    let storage = try AlignedStorage<Float>(count: values.count)
    for index in values.indices { unsafe storage.base[index] = values[index] }
    return storage
  }
}
