package import Models

/// Where the keys and values of a model's layers are kept.
///
/// A *stage* is a run of layers that the same tokens pass through: the first layers, each recursion,
/// the last layers. All layers of a stage hold the same entries, so a length is kept per stage. A
/// *slot* is one layer of one stage, with pages of its own.
package struct CacheLayout: Sendable, Equatable {
  var firstLayerCount: Int
  var blockLayerCount: Int
  var lastLayerCount: Int
  var recursionCount: Int
  /// Floats of a key, and of a value: G·K.
  package var entryWidth: Int
  /// Recursions after the first read the entries of the first and store none.
  var sharesKeys: Bool
  /// One more slot for keys and values that live for a step only (`kv_cache = hybrid`).
  var hasScratchSlot: Bool
}

extension CacheLayout {
  package init(_ description: ModelDescription) {
    firstLayerCount = description.layers.firstCount
    blockLayerCount = description.layers.blockCount
    lastLayerCount = description.layers.lastCount
    recursionCount = description.layers.recursionCount
    entryWidth = description.keyValueHeadCount * description.headWidth
    let cache = description.routing.router?.keyValueCache ?? .recursion
    sharesKeys = cache != .recursion
    hasScratchSlot = cache == .hybrid
  }

  /// Recursions that store entries.
  var storedRecursionCount: Int { sharesKeys ? 1 : recursionCount }
  var stageCount: Int { 2 + storedRecursionCount }
  package var slotCount: Int { layerSlotCount + (hasScratchSlot ? 1 : 0) }
  package var layerSlotCount: Int {
    firstLayerCount + blockLayerCount * storedRecursionCount + lastLayerCount
  }

  var firstStage: Int { 0 }
  var lastStage: Int { stageCount - 1 }
  func blockStage(recursion: Int) -> Int { 1 + (sharesKeys ? 0 : recursion) }

  func firstSlot(layer: Int) -> Int { layer }
  func blockSlot(recursion: Int, layer: Int) -> Int {
    firstLayerCount + (sharesKeys ? 0 : recursion) * blockLayerCount + layer
  }
  func lastSlot(layer: Int) -> Int {
    firstLayerCount + blockLayerCount * storedRecursionCount + layer
  }
  var scratchSlot: Int { layerSlotCount }

  /// Pages that one sequence of `tokenCount` tokens takes at most: every token at every depth.
  package func pageCount(tokenCount: Int) -> Int {
    let pages = (tokenCount + PagePool.entriesPerPage - 1) / PagePool.entriesPerPage
    return pages * slotCount
  }
}
