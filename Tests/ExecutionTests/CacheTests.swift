import Files
import Kernels
import Scheduling
import Testing

@testable import Execution

struct CacheTests {
  private static let layout = CacheLayout(
    firstLayerCount: 1, blockLayerCount: 2, lastLayerCount: 1, recursionCount: 3, sharesKeys: false, hasScratchSlot: false)

  private static let shape = AttentionShape(headCount: 2, groupCount: 1, headWidth: 4)

  @Test func slotsAreDistinct() {
    let layout = Self.layout
    var slots = [layout.firstSlot(layer: 0), layout.lastSlot(layer: 0)]
    for recursion in 0..<3 { for layer in 0..<2 { slots.append(layout.blockSlot(recursion: recursion, layer: layer)) } }
    #expect(slots.sorted() == Array(0..<layout.slotCount))
    #expect(layout.stageCount == 5)
  }

  @Test func sharedKeysHaveOneRecursion() {
    var layout = Self.layout
    layout.sharesKeys = true
    layout.hasScratchSlot = true
    #expect(layout.slotCount == 1 + 2 + 1 + 1)
    #expect(layout.blockSlot(recursion: 2, layer: 1) == layout.blockSlot(recursion: 0, layer: 1))
    #expect(layout.scratchSlot == 4)
  }

  private func cache(_ pool: PagePool, tokens: Int) throws -> SequenceCache {
    let cache = try SequenceCache(layout: Self.layout, pool: pool, maximumTokenCount: tokens)
    try cache.reserve(tokens: tokens)
    cache.locate()
    return cache
  }

  @Test func pagesComeBack() throws {
    let pool = PagePool(shape: Self.shape)
    _ = try cache(pool, tokens: 100)
    let bytes = pool.byteCount
    let second = try cache(pool, tokens: 100)
    #expect(second.blocks.blockCount == 4 * Self.layout.slotCount)
    #expect(pool.byteCount == bytes, "the second sequence takes the pages of the first")
  }

  @Test func entriesDoNotOverlap() throws {
    let pool = PagePool(shape: Self.shape)
    let caches = [try cache(pool, tokens: 70), try cache(pool, tokens: 70)]
    var addresses: Set<UInt> = []
    for cache in caches {
      for slot in 0..<Self.layout.slotCount {
        for entry in 0..<70 {
          let (page, place) = unsafe cache.page(slot: slot, entry: entry)
          addresses.insert(UInt(bitPattern: page) + UInt(place))
        }
      }
    }
    let count = addresses.count
    #expect(count == 2 * Self.layout.slotCount * 70)
  }

  @Test(arguments: [(CacheType.f32, 4 * 33), (.bf16, 2 * 33), (.int8, 33 + 2 * 4)])
  func pagesAreAsLargeAsTheirType(type: CacheType, bytesPerHead: Int) throws {
    let pool = PagePool(shape: AttentionShape(headCount: 6, groupCount: 3, headWidth: 33, cacheType: type))
    try pool.reserve(5)
    #expect(pool.byteCount == 5 * CacheLayout.entriesPerBlock * 2 * 3 * bytesPerHead)
  }

  @Test func aSizeBeyondMemoryIsAnError() {
    let pool = PagePool(shape: Self.shape)
    #expect { try pool.reserve(.max / 8) } throws: { ($0 as? RallyError)?.code == .outOfMemory }
  }
}
