package import Files
package import Kernels
package import Scheduling
import Tensors

/// The memory of blocks: a page of `KeyValuePages` each.
///
/// It grows by slabs and keeps what it has: once as many pages were made as a job holds at its
/// peak, taking and returning blocks allocates nothing.
@safe
package final class PagePool {
  package let blocks = BlockPool()
  let shape: AttentionShape
  private var slabs: [FloatStorage] = []
  /// Of each block, [blocks.capacity].
  @unsafe private var addresses: [UnsafeMutableRawPointer] = unsafe []

  package init(shape: AttentionShape) {
    precondition(CacheLayout.entriesPerBlock == KeyValuePages.pageEntries)
    self.shape = shape
  }

  package var byteCount: Int { blocks.capacity * shape.pageByteCount }

  /// Makes sure that `count` more blocks can be taken without allocating.
  /// - Throws: `outOfMemory`.
  package func reserve(_ count: Int) throws(RallyError) {
    let missing = count - blocks.freeCount
    guard missing > 0 else { return }
    let pageByteCount = shape.pageByteCount
    let (byteCount, overflow) = missing.multipliedReportingOverflow(by: pageByteCount)
    guard !overflow, blocks.capacity + missing <= Int(Int32.max) else {
      throw RallyError(
        .outOfMemory, "key/value cache", expected: "\(missing) more pages",
        found: "a size beyond this machine's address space", remedy: "use fewer or shorter rows")
    }
    let slab = try FloatStorage(count: byteCount / MemoryLayout<Float>.stride)
    slabs.append(slab)
    blocks.grow(by: missing)
    let start = unsafe UnsafeMutableRawPointer(slab.base)
    unsafe addresses.reserveCapacity(addresses.count + missing)
    for index in 0..<missing { unsafe addresses.append(start + index * pageByteCount) }
  }

  /// Frees all of it, where no block is in use.
  package func releaseUnused() {
    guard blocks.removeAllUnused() else { return }
    slabs = []
    unsafe addresses = []
  }

  @unsafe
  func page(_ block: BlockID) -> UnsafeMutableRawPointer { unsafe addresses[Int(block.index)] }

  /// Fills a block with the entries of another.
  package func copy(_ source: BlockID, to target: BlockID) {
    unsafe page(target).copyMemory(from: page(source), byteCount: shape.pageByteCount)
  }
}
