import Files
import Glibc
import Tensors

/// A table of rows that are looked up, kept in the element type of its file.
package final class EmbeddingTable: Sendable {
  private let bytes: AlignedStorage<UInt8>
  /// The table's own copy, seen as a tensor.
  private let entry: TensorEntry

  package var byteCount: Int { bytes.count }

  /// Copies `source`, so that its file can be closed.
  /// - Throws: `outOfMemory`.
  init(_ source: TensorEntry) throws(RallyError) {
    bytes = try unsafe AlignedStorage(count: source.data.count)
    if let start = unsafe source.data.baseAddress {
      unsafe memcpy(bytes.base, start, source.data.count)
    }
    entry = unsafe TensorEntry(
      name: source.name, dataType: source.dataType, shape: source.shape,
      data: UnsafeRawBufferPointer(start: bytes.base, count: bytes.count), storage: nil, scales: source.scales,
      balance: source.balance)
  }

  /// Row `index` as f32, [D].
  @unsafe
  package func copyRow(_ index: Int, to destination: UnsafeMutablePointer<Float>) {
    unsafe entry.copyFloats(rows: index..<index + 1, into: destination)
  }
}
