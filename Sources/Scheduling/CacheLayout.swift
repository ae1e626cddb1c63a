/// Where the keys and values of a model's layers are kept.
///
/// A *stage* is a run of layers that the same tokens pass through: the first layers, each recursion,
/// the last layers. All layers of a stage hold the same entries, so a length is kept per stage. A
/// *slot* is one layer of one stage, with blocks of its own.
public struct CacheLayout: Sendable, Equatable {
  public var firstLayerCount: Int
  public var blockLayerCount: Int
  public var lastLayerCount: Int
  public var recursionCount: Int
  /// Recursions after the first read the entries of the first and store none.
  public var sharesKeys: Bool
  /// One more slot for keys and values that live for a step only (`kv_cache = hybrid`).
  public var hasScratchSlot: Bool
  /// Every recursion has an entry for every token, also for those that did not run it; an entry's index is its token's
  /// position.
  public var keepsEveryToken = false

  public init(
    firstLayerCount: Int, blockLayerCount: Int, lastLayerCount: Int, recursionCount: Int, sharesKeys: Bool,
    hasScratchSlot: Bool
  ) {
    self.firstLayerCount = firstLayerCount
    self.blockLayerCount = blockLayerCount
    self.lastLayerCount = lastLayerCount
    self.recursionCount = recursionCount
    self.sharesKeys = sharesKeys
    self.hasScratchSlot = hasScratchSlot
  }
}

extension CacheLayout {
  /// For a sequence whose tokens run at most `limit` recursions.
  public func limited(to limit: Int) -> CacheLayout {
    var layout = self
    layout.recursionCount = min(limit, recursionCount)
    return layout
  }
}

// MARK: Stages and slots

extension CacheLayout {
  /// Recursions that store entries.
  var storedRecursionCount: Int { sharesKeys ? 1 : recursionCount }
  public var stageCount: Int { 2 + storedRecursionCount }
  public var slotCount: Int { layerSlotCount + (hasScratchSlot ? 1 : 0) }
  public var layerSlotCount: Int {
    firstLayerCount + blockLayerCount * storedRecursionCount + lastLayerCount
  }

  public var firstStage: Int { 0 }
  public var lastStage: Int { stageCount - 1 }
  public func blockStage(recursion: Int) -> Int { 1 + (sharesKeys ? 0 : recursion) }

  public func firstSlot(layer: Int) -> Int { layer }
  public func blockSlot(recursion: Int, layer: Int) -> Int {
    firstLayerCount + (sharesKeys ? 0 : recursion) * blockLayerCount + layer
  }
  public func lastSlot(layer: Int) -> Int {
    firstLayerCount + blockLayerCount * storedRecursionCount + layer
  }
  public var scratchSlot: Int { layerSlotCount }

  /// Slots of one stage: as many as it has layers, in order.
  public func slots(of stage: Int) -> Range<Int> {
    if stage == firstStage { return 0..<firstLayerCount }
    if stage == lastStage { return lastSlot(layer: 0)..<layerSlotCount }
    let start = firstLayerCount + (stage - 1) * blockLayerCount
    return start..<start + blockLayerCount
  }
}

// MARK: Sizes

extension CacheLayout {
  /// Entries of one block: a power of two, so that an index splits into block and place by shifts.
  /// 32 wastes at most 31 entries per sequence, recursion and layer.
  public static let entriesPerBlock = 32

  /// Blocks that hold `entries` entries of one slot.
  public static func blockCount(entries: Int) -> Int { (entries + entriesPerBlock - 1) / entriesPerBlock }

  /// Blocks that one sequence of `tokenCount` tokens takes at most: every token at every depth.
  public func blockCount(tokenCount: Int) -> Int { Self.blockCount(entries: tokenCount) * slotCount }

  /// Entries that tokens of these depths have in each stage, [stageCount].
  public func lengths(of depths: ArraySlice<UInt8>, into lengths: inout [Int]) {
    for stage in 0..<stageCount { lengths[stage] = 0 }
    for depth in depths {
      lengths[firstStage] += 1
      lengths[lastStage] += 1
      for recursion in 0..<storedRecursionCount where sharesKeys || keepsEveryToken || Int(depth) > recursion {
        lengths[1 + recursion] += 1
      }
    }
  }
}
