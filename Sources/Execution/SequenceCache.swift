package import Files
import Kernels
package import Scheduling
import Tensors

/// Keys and values of one sequence, for every layer and recursion that stores them.
///
/// Only tokens that a recursion selected have entries there. An entry is found by its index in the
/// stage, which is its rank among the selected tokens, not its position in the text.
@safe
package final class SequenceCache {
  package let blocks: BlockTable
  private let pool: PagePool
  private let pagesPerSlot: Int
  /// Addresses of the blocks' pages, [slotCount, pagesPerSlot]; of a slot those that `locate` has seen.
  private let table: AlignedStorage<UnsafeRawPointer?>

  var layout: CacheLayout { blocks.layout }
  package var tokenCount: Int { blocks.tokenCount }

  /// The memory of `blocks`, which are of the pool, for at most `maximumTokenCount` tokens.
  /// - Throws: `outOfMemory`.
  package init(blocks: BlockTable, pool: PagePool, maximumTokenCount: Int) throws(RallyError) {
    self.blocks = blocks
    self.pool = pool
    pagesPerSlot = CacheLayout.blockCount(entries: maximumTokenCount)
    unsafe table = try AlignedStorage(zeroed: blocks.layout.slotCount * pagesPerSlot)
  }

  /// A new sequence of at most `maximumTokenCount` tokens; blocks are taken as they are needed.
  /// - Throws: `outOfMemory`.
  package convenience init(layout: CacheLayout, pool: PagePool, maximumTokenCount: Int) throws(RallyError) {
    try self.init(
      blocks: BlockTable(layout: layout, pool: pool.blocks, maximumTokenCount: maximumTokenCount), pool: pool,
      maximumTokenCount: maximumTokenCount)
  }

  /// Takes the blocks for `tokens` more tokens, from new memory where the pool has none left.
  /// - Throws: `outOfMemory`.
  package func reserve(tokens: Int) throws(RallyError) {
    guard !blocks.reserve(tokens: tokens) else { return }
    try pool.reserve(blocks.missingBlockCount(tokens: tokens))
    precondition(blocks.reserve(tokens: tokens))
  }

  /// Looks up the pages of all blocks that the sequence holds: before a step, after its blocks were taken.
  package func locate() {
    for slot in 0..<layout.slotCount {
      for (index, block) in blocks.blocks(slot: slot).enumerated() {
        unsafe table.base[slot * pagesPerSlot + index] = UnsafeRawPointer(pool.page(block))
      }
    }
  }

  /// The pages of `slot`, for the attention kernel.
  func pages(slot: Int) -> KeyValuePages {
    unsafe KeyValuePages(pages: UnsafePointer(table.base + slot * pagesPerSlot))
  }

  /// The page of an entry, and the entry's place there.
  @unsafe
  func page(slot: Int, entry: Int) -> (UnsafeMutableRawPointer, Int) {
    let (index, place) = entry.quotientAndRemainder(dividingBy: CacheLayout.entriesPerBlock)
    guard index < pagesPerSlot, let page = unsafe table.base[slot * pagesPerSlot + index] else {
      preconditionFailure("reserve() and locate() come first")
    }
    return unsafe (UnsafeMutableRawPointer(mutating: page), place)
  }

  /// Makes one slot's entry that of another.
  func copyEntry(_ entry: Int, from source: Int, to target: Int, _ shape: AttentionShape) {
    let (from, place) = unsafe page(slot: source, entry: entry)
    let (to, _) = unsafe page(slot: target, entry: entry)
    unsafe KeyValuePages.copy(from: from, to: to, place: place, shape: shape)
  }

  /// Copies the entries of `slot` to the scratch slot.
  func copyToScratch(slot: Int) {
    let count = min(blocks.blocks(slot: slot).count, blocks.blocks(slot: layout.scratchSlot).count)
    for page in 0..<count {
      pool.copy(blocks.blocks(slot: slot)[page], to: blocks.blocks(slot: layout.scratchSlot)[page])
    }
  }
}
