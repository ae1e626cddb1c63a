package import Scheduling

extension CacheLayout {
  package init(_ description: ModelDescription) {
    let cache = description.routing.router?.keyValueCache ?? .recursion
    self.init(
      firstLayerCount: description.layers.firstCount, blockLayerCount: description.layers.blockCount,
      lastLayerCount: description.layers.lastCount, recursionCount: description.layers.recursionCount,
      sharesKeys: cache != .recursion, hasScratchSlot: cache == .hybrid)
    keepsEveryToken = description.loop?.exit != nil
  }
}
