public import Files
import Glibc

/// Uninitialised memory for `count` elements, aligned to a cache line; freed with its owner. Or a part of a mapped file,
/// which is only read.
///
/// The one owner of numeric memory in the engine. Views of it are `UnsafeMutablePointer`s handed to
/// kernels, which never outlive the storage.
@safe
public struct AlignedStorage<Element: BitwiseCopyable>: ~Copyable {
  /// A cache line, and a full vector of the widest instruction set.
  public static var alignment: Int { 64 }

  @unsafe public let base: UnsafeMutablePointer<Element>
  public let count: Int
  /// What the memory is part of; nil where it is this storage's own.
  private let file: MappedFile?
  /// What it counts against; nil for no limit.
  private let budget: MemoryBudget?

  /// - Throws: `outOfMemory` when the size overflows, the system has no such block, or the call's budget has not so much left.
  public init(count: Int) throws(RallyError) {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Element>.stride)
    guard count >= 0, !overflow else { throw Self.noBlock(count) }
    let (size, budget) = (max(bytes, Self.alignment), MemoryBudget.current)
    try budget?.take(size)
    var raw: UnsafeMutableRawPointer?
    guard unsafe posix_memalign(&raw, Self.alignment, size) == 0, let block = unsafe raw else {
      budget?.give(size)
      throw Self.noBlock(count)
    }
    unsafe base = block.bindMemory(to: Element.self, capacity: max(count, 1))
    self.count = count
    self.budget = budget
    file = nil
  }

  /// A part of `file`, which may not be written to.
  ///
  /// - Parameter part: aligned as `alignment` says.
  @unsafe
  package init(_ part: UnsafeRawBufferPointer, of file: MappedFile) {
    precondition(UInt(bitPattern: part.baseAddress) % UInt(Self.alignment) == 0)
    count = part.count / MemoryLayout<Element>.stride
    guard let start = unsafe part.baseAddress ?? UnsafeRawPointer(bitPattern: Self.alignment) else {
      preconditionFailure("an alignment is no zero")
    }
    unsafe base = UnsafeMutablePointer(mutating: start.bindMemory(to: Element.self, capacity: count))
    self.file = file
    budget = nil
  }

  private static func noBlock(_ count: Int) -> RallyError {
    RallyError(
      .outOfMemory, "memory", expected: "a block of \(count) × \(MemoryLayout<Element>.stride) bytes",
      found: "none", remedy: "use a smaller batch or a smaller model")
  }

  /// Everything that it holds.
  @unsafe
  package var bytes: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: base, count: count * MemoryLayout<Element>.stride)
  }

  /// Storage whose bytes are all zero.
  public init(zeroed count: Int) throws(RallyError) {
    try self.init(count: count)
    unsafe memset(base, 0, count * MemoryLayout<Element>.stride)
  }

  deinit {
    guard file == nil else { return }
    unsafe free(base)
    budget?.give(max(count * MemoryLayout<Element>.stride, Self.alignment))
  }
}

// A unique owner: whoever holds it may pass it to another thread.
extension AlignedStorage: @unchecked Sendable {}
