// Glossary of the short letters that stand for sizes, here and in every comment on a buffer:
//
//   B  batch: rows of a call          D  width of the residual stream (hidden size)
//   T  tokens of one row              H  query heads, G  key/value heads
//   N  rows of hidden state at hand   K  width of one head
//   V  vocabulary                     F  feed-forward width
//   R  recursions                     d  layers of the shared block
//
// A buffer is described as `[N, D] f32, row-major`: the last axis is contiguous.

/// The extents of a tensor, outermost first, known to multiply without overflow.
public struct Shape: Equatable, Sendable, CustomStringConvertible {
  public let extents: [Int]
  /// The product of the extents; 1 for a scalar.
  public let elementCount: Int

  /// Fails when an extent is negative or the product overflows.
  public init?(_ extents: [Int]) {
    var count = 1
    for extent in extents {
      guard extent >= 0 else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow else { return nil }
      count = product
    }
    self.extents = extents
    elementCount = count
  }

  public var rank: Int { extents.count }
  public var description: String { "[" + extents.map(String.init).joined(separator: ", ") + "]" }
}
