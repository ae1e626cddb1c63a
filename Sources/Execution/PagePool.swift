package import Tensors

/// Memory for keys and values in pages of one size, handed out and taken back.
///
/// It grows by slabs and keeps what it has: once as many pages were made as a job holds at its
/// peak, taking and returning pages allocates nothing.
@safe
package final class PagePool {
  /// Entries of one page: a power of two, so that an index splits into page and place by shifts.
  /// 32 wastes at most 31 entries per sequence, recursion and layer.
  package static let entriesPerPage = 32

  /// Keys and values of one entry: G·K floats each.
  let entryWidth: Int
  private var slabs: [FloatStorage] = []
  @unsafe private var free: [UnsafeMutablePointer<Float>] = unsafe []
  private var pageCount = 0

  package init(entryWidth: Int) {
    self.entryWidth = entryWidth
  }

  /// A page is [2, entriesPerPage, G·K] f32: keys, then values.
  var pageFloatCount: Int { 2 * Self.entriesPerPage * entryWidth }
  package var byteCount: Int { pageCount * pageFloatCount * MemoryLayout<Float>.stride }

  /// Makes sure that `count` more pages can be taken without allocating.
  /// - Throws: `outOfMemory`.
  package func reserve(_ count: Int) throws(RallyError) {
    let missing = unsafe count - free.count
    guard missing > 0 else { return }
    let (floats, overflow) = missing.multipliedReportingOverflow(by: pageFloatCount)
    guard !overflow else {
      throw RallyError(
        .outOfMemory, "key/value cache", expected: "\(missing) more pages",
        found: "a size beyond this machine's address space", remedy: "use fewer or shorter rows")
    }
    let slab = try FloatStorage(count: floats)
    slabs.append(slab)
    pageCount += missing
    // Everything that is ever free fits, so giving pages back does not allocate either.
    unsafe free.reserveCapacity(pageCount)
    for index in (0..<missing).reversed() {
      unsafe free.append(slab.base + index * pageFloatCount)
    }
  }

  /// A page with arbitrary contents.
  func take() throws(RallyError) -> UnsafeMutablePointer<Float> {
    if unsafe free.isEmpty { try reserve(max(16, pageCount / 2)) }
    return unsafe free.removeLast()
  }

  func giveBack(_ page: UnsafeMutablePointer<Float>) {
    unsafe free.append(page)
  }
}
