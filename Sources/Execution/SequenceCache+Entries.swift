import Scheduling
import Tensors

extension SequenceCache {
  /// Floats of `count` entries of one slot.
  package func floatCount(entries count: Int) -> Int { 2 * count * layout.entryWidth }

  /// Copies the first `count` entries of a slot out: keys [count, G·K], then values.
  package func copyEntries(_ count: Int, slot: Int, to floats: UnsafeMutablePointer<Float>) {
    forEachStretch(count) { first, length in
      unsafe (floats + first * layout.entryWidth).update(from: key(slot: slot, entry: first), count: length * layout.entryWidth)
      unsafe (floats + (count + first) * layout.entryWidth)
        .update(from: key(slot: slot, entry: first) + valueOffset, count: length * layout.entryWidth)
    }
  }

  /// Copies entries in, as `copyEntries` gave them out.
  package func setEntries(_ count: Int, slot: Int, from floats: UnsafePointer<Float>) {
    forEachStretch(count) { first, length in
      unsafe key(slot: slot, entry: first).update(from: floats + first * layout.entryWidth, count: length * layout.entryWidth)
      unsafe (key(slot: slot, entry: first) + valueOffset)
        .update(from: floats + (count + first) * layout.entryWidth, count: length * layout.entryWidth)
    }
  }

  private var valueOffset: Int { CacheLayout.entriesPerBlock * layout.entryWidth }

  /// Entries that lie in one block.
  private func forEachStretch(_ count: Int, _ body: (_ first: Int, _ length: Int) -> Void) {
    for first in stride(from: 0, to: count, by: CacheLayout.entriesPerBlock) {
      body(first, min(CacheLayout.entriesPerBlock, count - first))
    }
  }
}
