package import Kernels

extension AttentionShape {
  package init(_ description: ModelDescription, cacheType: CacheType) {
    self.init(
      headCount: description.headCount, groupCount: description.keyValueHeadCount, headWidth: description.headWidth,
      cacheType: cacheType)
  }
}
