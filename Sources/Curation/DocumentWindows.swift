/// How a document that may be longer than a rater's row is cut into windows: pure bookkeeping, the same lengths give the
/// same cut.
///
/// Windows begin `stride` tokens apart, from the document's first token on, until one reaches its end; the last one may be
/// shorter than `length`. Where a limit leaves some out, those that stay are spread evenly over the document, never taken
/// from its beginning alone. Source: ours.
package struct DocumentWindows: Sendable, Equatable {
  package let tokenCount: Int
  /// Tokens of a window, at most.
  package let length: Int
  /// Tokens from the beginning of a window to that of the next. Beyond `length`, some tokens are in no window.
  package let stride: Int
  /// At least one, also of an empty document.
  package let count: Int
  /// What `count` would be without a limit.
  private let unlimitedCount: Int

  /// - Parameters:
  ///   - tokenCount: of the document, 0 or more.
  ///   - length: at least 1.
  ///   - stride: at least 1.
  ///   - limit: windows at most, at least 1; nil for all.
  package init(tokenCount: Int, length: Int, stride: Int, limit: Int? = nil) {
    precondition(tokenCount >= 0 && length > 0 && stride > 0 && limit ?? 1 > 0)
    self.tokenCount = tokenCount
    self.length = length
    self.stride = stride
    if tokenCount <= length {
      unlimitedCount = 1
    } else if stride <= length {
      unlimitedCount = 2 + (tokenCount - length - 1) / stride
    } else {
      unlimitedCount = 1 + (tokenCount - 1) / stride
    }
    count = min(unlimitedCount, limit ?? unlimitedCount)
  }

  /// The tokens of a window; ascending in both bounds.
  package subscript(index: Int) -> Range<Int> {
    precondition(index >= 0 && index < count)
    let start = place(of: index) * stride
    return start..<(length < tokenCount - start ? start + length : tokenCount)
  }

  /// Tokens that are in at least one window. O(count) where windows are left out or apart, else O(1).
  package var seenCount: Int {
    if count == unlimitedCount && stride <= length { return tokenCount }
    var seen = 0
    var end = 0
    for index in 0..<count {
      let window = self[index]
      seen += window.upperBound - max(window.lowerBound, end)
      end = window.upperBound
    }
    return seen
  }

  /// Which one of all windows this is: the middle one of `count` equal parts.
  private func place(of index: Int) -> Int {
    if count == unlimitedCount { return index }
    return Int((2 * Int128(index) + 1) * Int128(unlimitedCount) / (2 * Int128(count)))
  }
}
