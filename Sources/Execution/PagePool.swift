package import Files
import Kernels
package import Scheduling
import Tensors

/// The memory of blocks: a page of `KeyValuePages` each.
///
/// It grows by slabs and keeps what it has: once as many pages were made as a job holds at its
/// peak, taking and returning blocks allocates nothing.
@safe
package final class PagePool {
  package let blocks = BlockPool()
  /// Keys and values of one entry: G·K floats each.
  let entryWidth: Int
  private var slabs: [FloatStorage] = []
  /// Of each block, [blocks.capacity].
  @unsafe private var addresses: [UnsafeMutablePointer<Float>] = unsafe []

  package init(entryWidth: Int) {
    precondition(CacheLayout.entriesPerBlock == KeyValuePages.pageEntries)
    self.entryWidth = entryWidth
  }

  var pageFloatCount: Int { KeyValuePages.pageFloatCount(entryWidth: entryWidth) }
  package var byteCount: Int { blocks.capacity * Self.byteCount(blocks: 1, entryWidth: entryWidth) }

  package static func byteCount(blocks: Int, entryWidth: Int) -> Int {
    blocks * KeyValuePages.pageFloatCount(entryWidth: entryWidth) * MemoryLayout<Float>.stride
  }

  /// Makes sure that `count` more blocks can be taken without allocating.
  /// - Throws: `outOfMemory`.
  package func reserve(_ count: Int) throws(RallyError) {
    let missing = count - blocks.freeCount
    guard missing > 0 else { return }
    let (floats, overflow) = missing.multipliedReportingOverflow(by: pageFloatCount)
    guard !overflow, blocks.capacity + missing <= Int(Int32.max) else {
      throw RallyError(
        .outOfMemory, "key/value cache", expected: "\(missing) more pages",
        found: "a size beyond this machine's address space", remedy: "use fewer or shorter rows")
    }
    let slab = try FloatStorage(count: floats)
    slabs.append(slab)
    blocks.grow(by: missing)
    for index in 0..<missing { unsafe addresses.append(slab.base + index * pageFloatCount) }
  }

  @unsafe
  func page(_ block: BlockID) -> UnsafeMutablePointer<Float> { unsafe addresses[Int(block.index)] }

  /// Fills a block with the entries of another.
  package func copy(_ source: BlockID, to target: BlockID) {
    unsafe page(target).update(from: page(source), count: pageFloatCount)
  }
}
