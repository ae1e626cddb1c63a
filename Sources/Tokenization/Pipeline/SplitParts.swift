/// Makes pieces of the parts of a piece, some of which are matches, as they come.
struct SplitParts {
  private let behavior: SplitBehavior
  /// Of the first piece that is made here.
  private let first: Int
  private var wasMatch = false
  private var hasEmptyPart = false

  init(_ behavior: SplitBehavior, after pieces: [Range<Int>]) {
    self.behavior = behavior
    first = pieces.count
  }

  @inline(__always)
  mutating func append(_ range: Range<Int>, isMatch: Bool, to pieces: inout [Range<Int>]) {
    if behavior == .removed, isMatch { return }
    if range.isEmpty { hasEmptyPart = true }
    if pieces.count > first, joins(isMatch) {
      pieces[pieces.count - 1] = pieces[pieces.count - 1].lowerBound..<range.upperBound
    } else {
      pieces.append(range)
    }
    wasMatch = isMatch
  }

  /// Whether a part goes on with the piece before.
  private func joins(_ isMatch: Bool) -> Bool {
    switch behavior {
    case .removed, .isolated: false
    case .contiguous: isMatch == wasMatch
    case .mergedWithPrevious: isMatch && !wasMatch
    case .mergedWithNext: !isMatch && wasMatch
    }
  }

  /// Takes empty pieces away. Call it once, after the last part.
  func finish(_ pieces: inout [Range<Int>]) {
    guard hasEmptyPart else { return }
    let kept = pieces[first...].filter { !$0.isEmpty }
    pieces.replaceSubrange(first..., with: kept)
  }
}
