package import Kernels
import Tensors

extension SequenceCache {
  /// Bytes of `count` entries of one slot.
  package static func byteCount(entries count: Int, shape: AttentionShape) -> Int { 2 * count * shape.entryByteCount }

  /// Copies the first `count` entries of a slot out, as they are kept: all keys, then all values.
  package func copyEntries(_ count: Int, slot: Int, shape: AttentionShape, to bytes: UnsafeMutableRawPointer) {
    let width = shape.entryByteCount
    for entry in 0..<count {
      let (page, place) = unsafe page(slot: slot, entry: entry)
      unsafe KeyValuePages.read(
        key: bytes + entry * width, value: bytes + (count + entry) * width, from: page, place: place, shape: shape)
    }
  }

  /// Copies entries in, as `copyEntries` gave them out.
  package func setEntries(_ count: Int, slot: Int, shape: AttentionShape, from bytes: UnsafeRawPointer) {
    let width = shape.entryByteCount
    for entry in 0..<count {
      let (page, place) = unsafe page(slot: slot, entry: entry)
      unsafe KeyValuePages.write(
        key: bytes + entry * width, value: bytes + (count + entry) * width, in: page, place: place, shape: shape)
    }
  }
}
