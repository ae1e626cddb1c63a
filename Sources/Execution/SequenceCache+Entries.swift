package import Kernels
import Tensors

extension SequenceCache {
  /// Floats of `count` entries of one slot.
  package func floatCount(entries count: Int) -> Int { 2 * count * layout.entryWidth }

  /// Copies the first `count` entries of a slot out: keys [count, G·K], then values.
  package func copyEntries(
    _ count: Int, slot: Int, shape: AttentionShape, to floats: UnsafeMutablePointer<Float>
  ) {
    let width = layout.entryWidth
    for entry in 0..<count {
      let (page, place) = unsafe page(slot: slot, entry: entry)
      unsafe KeyValuePages.load(
        key: floats + entry * width, value: floats + (count + entry) * width, from: page, place: place, shape: shape)
    }
  }

  /// Copies entries in, as `copyEntries` gave them out.
  package func setEntries(_ count: Int, slot: Int, shape: AttentionShape, from floats: UnsafePointer<Float>) {
    let width = layout.entryWidth
    for entry in 0..<count {
      let (page, place) = unsafe page(slot: slot, entry: entry)
      unsafe KeyValuePages.store(
        key: floats + entry * width, value: floats + (count + entry) * width, in: page, place: place, shape: shape)
    }
  }
}
