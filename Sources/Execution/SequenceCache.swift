import Kernels
package import Tensors

/// Keys and values of one sequence, for every layer and recursion that stores them.
///
/// Only tokens that a recursion selected have entries there. An entry is found by its index in the
/// stage, which is its rank among the selected tokens, not its position in the text.
@safe
package final class SequenceCache {
  let layout: CacheLayout
  private let pool: PagePool
  private let pagesPerSlot: Int
  /// [slotCount, pagesPerSlot] addresses; the first `pageCounts[slot]` of a slot are set.
  private let table: AlignedStorage<UnsafePointer<Float>?>
  private var pageCounts: [Int]
  /// Entries per stage.
  private(set) var lengths: [Int32]
  /// Tokens that went through the model: the position of the next one.
  package var tokenCount = 0

  /// Room for `maximumTokenCount` tokens; pages are taken as they are needed.
  /// - Throws: `outOfMemory`.
  package init(layout: CacheLayout, pool: PagePool, maximumTokenCount: Int) throws(RallyError) {
    self.layout = layout
    self.pool = pool
    pagesPerSlot = (maximumTokenCount + PagePool.entriesPerPage - 1) / PagePool.entriesPerPage
    unsafe table = try AlignedStorage(count: layout.slotCount * pagesPerSlot)
    pageCounts = Array(repeating: 0, count: layout.slotCount)
    lengths = Array(repeating: 0, count: layout.stageCount)
  }

  deinit { clear() }

  /// Returns all pages and starts an empty sequence.
  package func clear() {
    for slot in 0..<layout.slotCount {
      for page in 0..<pageCounts[slot] {
        if let address = unsafe table.base[slot * pagesPerSlot + page] {
          unsafe pool.giveBack(UnsafeMutablePointer(mutating: address))
        }
      }
      pageCounts[slot] = 0
    }
    for stage in lengths.indices { lengths[stage] = 0 }
    tokenCount = 0
  }

  /// Makes room for `entries` entries in `slot`.
  /// - Throws: `outOfMemory`.
  func ensure(slot: Int, entries: Int) throws(RallyError) {
    let needed = (entries + PagePool.entriesPerPage - 1) / PagePool.entriesPerPage
    precondition(needed <= pagesPerSlot)
    while pageCounts[slot] < needed {
      unsafe table.base[slot * pagesPerSlot + pageCounts[slot]] = UnsafePointer(try pool.take())
      pageCounts[slot] += 1
    }
  }

  /// Counts `count` more entries in `stage`.
  func extend(stage: Int, by count: Int) {
    lengths[stage] += Int32(count)
  }

  /// The pages of `slot`, for the attention kernel.
  func pages(slot: Int) -> KeyValuePages {
    unsafe KeyValuePages(
      pages: UnsafePointer(table.base + slot * pagesPerSlot), pageTokens: PagePool.entriesPerPage)
  }

  /// Where the key of `entry` is; its value stands `entriesPerPage · entryWidth` floats behind it.
  @unsafe
  func key(slot: Int, entry: Int) -> UnsafeMutablePointer<Float> {
    let (index, place) = entry.quotientAndRemainder(dividingBy: PagePool.entriesPerPage)
    guard let page = unsafe table.base[slot * pagesPerSlot + index] else {
      preconditionFailure("ensure() comes first")
    }
    return unsafe UnsafeMutablePointer(mutating: page) + place * pool.entryWidth
  }

  /// Copies the entries of `slot` to the scratch slot.
  /// - Throws: `outOfMemory`.
  func copyToScratch(slot: Int) throws(RallyError) {
    try ensure(slot: layout.scratchSlot, entries: pageCounts[slot] * PagePool.entriesPerPage)
    for page in 0..<pageCounts[slot] {
      let first = page * PagePool.entriesPerPage
      unsafe key(slot: layout.scratchSlot, entry: first)
        .update(from: key(slot: slot, entry: first), count: pool.pageFloatCount)
    }
  }
}
