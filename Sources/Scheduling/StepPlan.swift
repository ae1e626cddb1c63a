/// How rows of tokens are cut into steps: pure bookkeeping, the same rows give the same plan.
public struct StepPlan: Sendable, Equatable {
  /// Some adjacent tokens of one row.
  public struct Piece: Sendable, Equatable {
    public var row: Int
    /// Indices among the tokens of all rows.
    public var tokens: Range<Int>
    /// Whether the row ends with this piece.
    public var isLast: Bool
  }

  /// Pieces that run together, in the order of the rows.
  public private(set) var steps: [[Piece]] = []
  /// Tokens of the largest step.
  public private(set) var largestStep = 0

  /// Fills one step after the other with the next tokens.
  ///
  /// - Parameters:
  ///   - offsets: row i is `offsets[i] ..< offsets[i + 1]`; ascending from 0.
  ///   - stepTokenCount: tokens of a step, ≥ 1.
  ///   - wholeRows: whether a row must not be cut; a longer row then has a step of its own.
  ///   - order: the rows as they shall run; nil for their own order.
  ///   - window: each step is one piece, which ends at the latest at a multiple of so many of its row's tokens.
  public init(
    offsets: [Int], stepTokenCount: Int, wholeRows: Bool, order: [Int]? = nil, window: Int? = nil
  ) {
    precondition(stepTokenCount > 0)
    if let window {
      fill(offsets, stepTokenCount: stepTokenCount, window: window)
    } else {
      fill(offsets, stepTokenCount: stepTokenCount, wholeRows: wholeRows, order: order)
    }
  }

  /// Rows, the longest first, of equal ones the earlier.
  public static func longestFirst(_ offsets: [Int]) -> [Int] {
    func length(_ row: Int) -> Int { offsets[row + 1] - offsets[row] }
    return (0..<max(0, offsets.count - 1)).sorted { (length($1), $0) < (length($0), $1) }
  }

  private mutating func fill(_ offsets: [Int], stepTokenCount: Int, window: Int) {
    for row in 0..<max(0, offsets.count - 1) {
      var start = offsets[row]
      while start < offsets[row + 1] {
        let untilWindow = window - (start - offsets[row]) % window
        let end = min(start + min(untilWindow, stepTokenCount), offsets[row + 1])
        var step = [Piece(row: row, tokens: start..<end, isLast: end == offsets[row + 1])]
        close(&step)
        start = end
      }
    }
  }

  private mutating func fill(_ offsets: [Int], stepTokenCount: Int, wholeRows: Bool, order: [Int]?) {
    var step: [Piece] = []
    var room = stepTokenCount
    for row in order ?? Array(0..<max(0, offsets.count - 1)) {
      var start = offsets[row]
      let end = offsets[row + 1]
      while start < end {
        if room == 0 || (wholeRows && end - start > room && !step.isEmpty) {
          close(&step)
          room = stepTokenCount
        }
        let count = wholeRows ? end - start : min(room, end - start)
        step.append(Piece(row: row, tokens: start..<start + count, isLast: start + count == end))
        room = max(0, room - count)
        start += count
      }
    }
    close(&step)
  }

  private mutating func close(_ step: inout [Piece]) {
    guard !step.isEmpty else { return }
    steps.append(step)
    largestStep = max(largestStep, step.reduce(0) { $0 + $1.tokens.count })
    step.removeAll()
  }
}
