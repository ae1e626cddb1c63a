/// What an engine has done so far.
struct EngineTally {
  var submittedCount = 0
  var finishedCount = 0
  var cancelledCount = 0
  var generatedCount = 0
  private(set) var passCount = 0
  /// Rows of all passes.
  private(set) var passRowCount = 0
  private(set) var promptCount = 0
  /// Tokens that left the model, by the recursions they ran, [R + 1].
  private(set) var tokensByDepth: [Int] = []

  mutating func reserve(recursionCount: Int) {
    tokensByDepth = Array(repeating: 0, count: recursionCount + 1)
  }

  mutating func countPass(rows: Int) {
    passCount += 1
    passRowCount += rows
  }

  mutating func count(_ depths: ArraySlice<Int32>, isPrompt: Bool) {
    for depth in depths { tokensByDepth[Int(depth)] += 1 }
    if isPrompt { promptCount += depths.count }
  }
}
