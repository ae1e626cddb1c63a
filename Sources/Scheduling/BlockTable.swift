/// The blocks of one sequence: for every stage its length, for every slot its blocks in order.
///
/// A step first reserves the blocks that its tokens may need at most, whatever depth they will reach; what they
/// did not need goes back by `trim`. So nothing can run out half-way through a step.
public final class BlockTable {
  public let layout: CacheLayout
  private let pool: BlockPool
  /// Entries of each stage, [stageCount].
  public private(set) var lengths: [Int]
  /// Blocks of each slot, in the order of their entries, [slotCount][].
  private var blocks: [[BlockID]]
  /// Tokens that went through all of the model: the position of the next one.
  public private(set) var tokenCount = 0

  private let maximumTokenCount: Int

  /// - Parameter maximumTokenCount: within it the table allocates nothing once it has its first block.
  public init(layout: CacheLayout, pool: BlockPool, maximumTokenCount: Int = 0) {
    self.layout = layout
    self.pool = pool
    lengths = Array(repeating: 0, count: layout.stageCount)
    blocks = Array(repeating: [], count: layout.slotCount)
    self.maximumTokenCount = maximumTokenCount
  }

  deinit { clear() }

  public func blocks(slot: Int) -> [BlockID] { blocks[slot] }
  public var blockCount: Int { blocks.reduce(0) { $0 + $1.count } }

  /// Blocks to be taken before `tokens` more tokens may run.
  public func missingBlockCount(tokens: Int) -> Int {
    var count = 0
    for stage in 0..<layout.stageCount {
      let slots = layout.slots(of: stage)
      guard let first = slots.first else { continue }
      let needed = CacheLayout.blockCount(entries: lengths[stage] + tokens)
      count += slots.count * max(0, needed - blocks[first].count)
    }
    if layout.hasScratchSlot {
      count += max(0, CacheLayout.blockCount(entries: tokenCount + tokens) - blocks[layout.scratchSlot].count)
    }
    return count
  }

  /// Takes the blocks that `tokens` more tokens need at most; takes none and returns false when there are too few.
  public func reserve(tokens: Int) -> Bool {
    guard missingBlockCount(tokens: tokens) <= pool.freeCount else { return false }
    makeRoom()
    for stage in 0..<layout.stageCount {
      for slot in layout.slots(of: stage) { fill(slot, entries: lengths[stage] + tokens) }
    }
    if layout.hasScratchSlot { fill(layout.scratchSlot, entries: tokenCount + tokens) }
    return true
  }

  private func makeRoom() {
    let most = CacheLayout.blockCount(entries: maximumTokenCount)
    for slot in blocks.indices where blocks[slot].capacity < most { blocks[slot].reserveCapacity(most) }
  }

  private func fill(_ slot: Int, entries: Int) {
    while blocks[slot].count < CacheLayout.blockCount(entries: entries), let block = pool.take() {
      blocks[slot].append(block)
    }
  }

  /// Counts `count` more entries in `stage`, within what was reserved.
  public func extend(stage: Int, by count: Int) { lengths[stage] += count }

  /// Counts `count` tokens that have left the model, and gives back the blocks that they did not need.
  public func finish(tokens count: Int) {
    tokenCount += count
    if layout.keepsEveryToken {
      for recursion in 0..<layout.recursionCount { lengths[layout.blockStage(recursion: recursion)] = tokenCount }
    }
    trim()
  }

  private func trim() {
    for stage in 0..<layout.stageCount {
      for slot in layout.slots(of: stage) { drop(slot, to: CacheLayout.blockCount(entries: lengths[stage])) }
    }
    if layout.hasScratchSlot { drop(layout.scratchSlot, to: 0) }
  }

  private func drop(_ slot: Int, to count: Int) {
    while blocks[slot].count > count { pool.giveBack(blocks[slot].removeLast()) }
  }

  /// Gives all blocks back and starts an empty sequence.
  public func clear() {
    for slot in blocks.indices { drop(slot, to: 0) }
    for stage in lengths.indices { lengths[stage] = 0 }
    tokenCount = 0
  }

  /// An empty table becomes `tokenCount` tokens with these entries in each stage, which are to be filled; returns false,
  /// and nothing is changed, when there are too few free blocks.
  func restore(tokenCount: Int, lengths: [Int]) -> Bool {
    precondition(self.tokenCount == 0 && blockCount == 0 && !layout.hasScratchSlot)
    let needed = (0..<layout.stageCount).reduce(0) {
      $0 + layout.slots(of: $1).count * CacheLayout.blockCount(entries: lengths[$1])
    }
    guard needed <= pool.freeCount else { return false }
    makeRoom()
    for stage in 0..<layout.stageCount {
      for slot in layout.slots(of: stage) { fill(slot, entries: lengths[stage]) }
    }
    self.lengths = lengths
    self.tokenCount = tokenCount
    return true
  }
}

// MARK: Sharing a prefix

extension BlockTable {
  /// A block to be filled with the entries of another before the sequence runs.
  public struct Copy: Sendable, Equatable {
    public var slot: Int
    public var from: BlockID
    public var to: BlockID
  }

  /// Becomes the first `tokenCount` tokens of `donor`: full blocks are shared and stay untouched by both, the last
  /// block of a slot is copied where it is full in part.
  ///
  /// - Parameters:
  ///   - lengths: entries of those tokens in each stage, [stageCount].
  ///   - copies: receives the blocks to copy.
  /// - Returns: false, and nothing is changed, when there are too few free blocks.
  func adopt(
    _ donor: BlockTable, tokenCount: Int, lengths: [Int], copies: inout [Copy]
  ) -> Bool {
    precondition(self.tokenCount == 0 && blockCount == 0 && !layout.hasScratchSlot)
    let parts = (0..<layout.stageCount).filter { lengths[$0] % CacheLayout.entriesPerBlock != 0 }
    guard parts.reduce(0, { $0 + layout.slots(of: $1).count }) <= pool.freeCount else { return false }
    makeRoom()
    for stage in 0..<layout.stageCount {
      let whole = lengths[stage] / CacheLayout.entriesPerBlock
      for slot in layout.slots(of: stage) {
        for block in donor.blocks[slot][..<whole] {
          pool.share(block)
          blocks[slot].append(block)
        }
        guard whole * CacheLayout.entriesPerBlock < lengths[stage], let own = pool.take() else { continue }
        blocks[slot].append(own)
        copies.append(Copy(slot: slot, from: donor.blocks[slot][whole], to: own))
      }
    }
    self.lengths = lengths
    self.tokenCount = tokenCount
    return true
  }
}
