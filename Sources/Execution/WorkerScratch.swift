import Files
import Tensors

/// Memory for what tasks of attention keep meanwhile, as much for each worker: all kinds of attention have theirs in one.
struct WorkerScratch {
  let storage: FloatStorage
  private let floatCount: Int

  /// - Throws: `outOfMemory`.
  init(floatCount: Int, workerCount: Int) throws(RallyError) {
    self.floatCount = floatCount
    storage = try FloatStorage(count: floatCount * workerCount)
  }

  @unsafe
  func base(of worker: Int) -> UnsafeMutablePointer<Float> { unsafe storage.base + worker * floatCount }
}
