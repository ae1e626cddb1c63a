/// The number of a block: room for the keys and values of `CacheLayout.entriesPerBlock` entries of one slot.
public struct BlockID: Hashable, Sendable {
  public let index: Int32

  init(_ index: Int32) { self.index = index }
}

/// Blocks, counted: which are free, and by how many tables each of the others is held.
///
/// Pure bookkeeping; the memory that the numbers stand for is `Execution.PagePool`'s.
public final class BlockPool {
  public private(set) var capacity = 0
  /// Tables that hold each block, [capacity].
  private var holders: [Int32] = []
  private var free: [BlockID] = []

  public init() {}

  public var freeCount: Int { free.count }
  public var usedCount: Int { capacity - free.count }

  /// Adds `count` blocks; taking and giving back allocates nothing afterwards.
  public func grow(by count: Int) {
    let first = Int32(capacity)
    capacity += count
    holders.append(contentsOf: repeatElement(0, count: count))
    free.reserveCapacity(capacity)
    for index in (first..<Int32(capacity)).reversed() { free.append(BlockID(index)) }
  }

  /// Forgets all blocks; false, and nothing, while a table holds any.
  public func removeAllUnused() -> Bool {
    guard usedCount == 0 else { return false }
    capacity = 0
    holders = []
    free = []
    return true
  }

  /// A free block, now held once; nil when there is none.
  func take() -> BlockID? {
    guard let block = free.popLast() else { return nil }
    holders[Int(block.index)] = 1
    return block
  }

  /// One more table holds `block`.
  func share(_ block: BlockID) {
    precondition(holders[Int(block.index)] > 0, "a free block cannot be shared")
    holders[Int(block.index)] += 1
  }

  func giveBack(_ block: BlockID) {
    precondition(holders[Int(block.index)] > 0, "a block is given back once by each that holds it")
    holders[Int(block.index)] -= 1
    if holders[Int(block.index)] == 0 { free.append(block) }
  }

  /// Tables that hold `block`.
  public func holderCount(_ block: BlockID) -> Int { Int(holders[Int(block.index)]) }
}
