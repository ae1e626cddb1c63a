public import Files

/// Shared memory for `count` floats, aligned to a cache line.
///
/// For weights, which many owners share and none changes after loading, and for the buffers of a
/// workspace, which one driver uses at a time.
public final class FloatStorage: Sendable {
  public let count: Int
  private let storage: AlignedStorage<Float>

  /// - Throws: `outOfMemory`.
  public init(count: Int) throws(RallyError) {
    storage = try AlignedStorage(count: count)
    self.count = count
  }

  /// A part of `file`, of whole floats on a cache line.
  @unsafe
  package init(_ part: UnsafeRawBufferPointer, of file: MappedFile) {
    storage = unsafe AlignedStorage(part, of: file)
    count = storage.count
  }

  @unsafe
  package var bytes: UnsafeRawBufferPointer { unsafe storage.bytes }

  @unsafe
  public var base: UnsafeMutablePointer<Float> { unsafe storage.base }

  /// One value. Unlike a view, it does not need an owner that outlives it.
  public subscript(index: Int) -> Float {
    precondition(index >= 0 && index < count)
    return withExtendedLifetime(self) { unsafe storage.base[index] }
  }

  /// The first `rowCount · width` floats as dense rows.
  public func rows(_ rowCount: Int, width: Int) -> FloatRows {
    precondition(rowCount >= 0 && width >= 0 && rowCount * width <= count)
    return unsafe FloatRows(base: storage.base, rowCount: rowCount, width: width, stride: width)
  }
}
